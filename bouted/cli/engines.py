"""What runs, for commands that look into it: names from the store, and the launcher that the config names."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from bouted.cli.place import Place
from bouted.daemon.parts import launcher_of, load
from bouted.errors import Misconfigured
from bouted.reconcile.launcher import Launcher, LetsGo
from bouted.store.read_names import Named, read_names


@dataclass(frozen=True, kw_only=True)
class Engines:
    """A deployment's names, and its launcher, opened beside the daemon's own."""

    launcher: Launcher
    known: tuple[Named, ...]
    deployment: str


@contextmanager
def opened(place: Place) -> Iterator[Engines]:
    """The engines of a deployment that exists; nothing is changed, with or without a daemon."""
    logging.basicConfig(level=logging.ERROR, format="note: %(message)s")
    with closing(place.store()) as store:
        known = read_names(store, datetime.now(UTC))
    place.hand_on()
    config = load(place.config_path()).config
    launcher = launcher_of(config)
    try:
        yield Engines(launcher=launcher, known=known, deployment=config.deployment)
    finally:
        if isinstance(launcher, LetsGo):
            launcher.let_go()


def require_ours(named: Named) -> None:
    """Misconfigured for an engine that was adopted."""
    if named.adopted:
        hint = "whoever runs it has its log and its machine"
        raise Misconfigured("", f"{named.name} is adopted: somebody else runs it", hint=hint)
