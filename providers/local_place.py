"""The folder that launchers of this machine share: one change at a time, and what is sold out there."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from bouted.errors import Misconfigured, NoCapacity
from bouted.reconcile.launcher import NodeOrder

from .file_lock import alone
from .local_files import FOREVER

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
KEEP_ENDED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """`root` may hold `stockout`: globs of offer ids, one a line, that cannot be had."""

    root: Path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One change at a time on this folder; Retryable while a process that does not go on holds it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with alone(self.root / "lock"):
            yield

    def require_there(self, offer_id: str) -> None:
        """NoCapacity while the offer is on the stock-out list."""
        stockout = self.root / "stockout"
        try:
            globs = stockout.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return
        if any(fnmatchcase(offer_id, glob) for glob in globs):
            raise NoCapacity(offer_id, hint=f"{stockout} lists it")


def require_one(order: NodeOrder) -> None:
    """Misconfigured for a group."""
    if order.instances > 1:
        hint = "set planner.groups to 1"
        raise Misconfigured("launchers.local", "cannot start groups of instances", hint=hint)


def require_name(name: str) -> str:
    """`name`; Misconfigured where it cannot name a folder."""
    if not NAME.fullmatch(name):
        hint = "use letters, digits, '.', '_' and '-'"
        raise Misconfigured("", f"{name!r} cannot name a folder", hint=hint)
    return name


def lease_end(now: datetime, for_s: float) -> datetime:
    """When a lease of so long ends; FOREVER when infinite."""
    return FOREVER if math.isinf(for_s) else now + timedelta(seconds=for_s)
