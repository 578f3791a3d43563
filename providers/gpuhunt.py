"""gpuhunt's catalog of many clouds: wide, and an hour old."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bouted.catalog.load import load_catalog
from bouted.errors import Misconfigured, NotConfigured, Retryable, SourceFailed
from bouted.market.diagnosis import Diagnosis, not_set_up
from bouted.market.quotes import Answer

from . import gpuhunt_load
from .gpuhunt_rows import OURS, ItemReader
from .pricedates import date_in
from .source_options import PATH, Options

CLOUDS = ("aws", "azure", "cloudrift", "gcp", "lambda", "nebius", "oci", "runpod", "verda")
THEIRS = {ours: theirs for theirs, ours in OURS.items()}
MIRROR = "GPUHUNT_CATALOG_URL"
HINT = "pip install 'bouted[gpuhunt]'"
PUBLISHED_EVERY_S = 3600.0
THROTTLED = (429, 503)
WAIT_S = 300.0


class GpuhuntPrices:
    """What gpuhunt's published catalogs say; rank 2. They are made hourly, and read again after `reload_s`.

    AWS spot prices are those of a region's cheapest zone. The catalogs are read by a process of its own that
    is ended after `deadline_s`.
    """

    name = "gpuhunt"
    rank = 2

    def __init__(
        self,
        *,
        clouds: tuple[str, ...] = CLOUDS,
        catalog_url: str = "",
        deadline_s: float = 25.0,
        reload_s: float = PUBLISHED_EVERY_S,
    ) -> None:
        self._clouds = clouds
        self._mirror = {MIRROR: catalog_url} if catalog_url else {}
        self._deadline_s = deadline_s
        self._reload = timedelta(seconds=reload_s)
        self._held: tuple[datetime, Answer] | None = None

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "GpuhuntPrices":
        """A source as a config names it: `clouds`, `catalog_url` of a mirror, `deadline_s`, `reload_s`."""
        given = Options(cls.name, options)
        clouds = given.texts("clouds", CLOUDS)
        unknown = sorted(set(clouds) - set(CLOUDS))
        if unknown:
            told = f"gpuhunt has no catalog of {unknown[0]!r}"
            raise Misconfigured(f"{PATH}.gpuhunt.clouds", told, hint=f"it has {', '.join(CLOUDS)}")
        made = cls(
            clouds=clouds,
            catalog_url=given.text("catalog_url", ""),
            deadline_s=given.number("deadline_s", 25.0, least=1.0),
            reload_s=given.number("reload_s", PUBLISHED_EVERY_S),
        )
        given.close()
        return made

    def fetch(self, now: datetime) -> Answer:
        """The quotes of every cloud, read anew when the last reading is old or was not whole."""
        if self._held is not None:
            read_at, answer = self._held
            if read_at <= now < read_at + self._reload:
                return answer
        answer = self._read(self._load(), now)
        self._held = None if answer.gaps else (now, answer)
        return answer

    def diagnose(self, now: datetime) -> Diagnosis:
        """Whether gpuhunt is installed and its server answers."""
        try:
            answer = self.fetch(now)
        except NotConfigured as error:
            return not_set_up(error)
        except (SourceFailed, Retryable) as error:
            return Diagnosis(credential="not needed", reachable=False, problem=error.message, hint=error.hint)
        return Diagnosis(credential="not needed", reachable=True, problem="; ".join(answer.gaps))

    def _load(self) -> str:
        """What the reading process prints."""
        program = [sys.executable, "-P", "-m", gpuhunt_load.__name__, str(self._deadline_s)]
        theirs = [THEIRS.get(cloud, cloud) for cloud in self._clouds]
        try:
            done = subprocess.run(
                [*program, *theirs],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                timeout=self._deadline_s,
                env={**os.environ, **self._mirror},
            )
        except subprocess.TimeoutExpired as error:
            raise SourceFailed(f"gpuhunt's server gave no answer in {self._deadline_s:g} s") from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise SourceFailed(f"gpuhunt broke: {last[:200]}", hint=f"{HINT} in its newest version")
        return done.stdout

    def _read(self, printed: str, now: datetime) -> Answer:
        reader = ItemReader(self.name, load_catalog().gpus)
        gaps: list[str] = []
        seen_at = now
        for line in map(json.loads, printed.splitlines()):
            if "failed" in line:
                raise _failure(line["failed"], line["status"])
            if "missing" in line:
                gaps.append(f"gpuhunt has no catalog of {line['missing']} now")
            elif "skipped" in line:
                reader.skip(line["skipped"])
            elif "version" in line:
                seen_at = _made_at(line["version"], now)
            else:
                reader.read([line["item"]], seen_at)
        answer = reader.answer(tuple(gaps))
        if not (answer.quotes or answer.unread):
            raise SourceFailed("gpuhunt's catalogs hold no GPU")
        return answer


def _made_at(version: str, now: datetime) -> datetime:
    """When a catalog was made at the latest: by the end of the day in its version, and not after now."""
    day = date_in(version[:8])
    return now if day is None else min(now, day + timedelta(days=1)).astimezone(UTC)


def _failure(told: str, status: int) -> NotConfigured | Retryable | SourceFailed:
    if told == gpuhunt_load.NO_PACKAGE:
        return NotConfigured("gpuhunt is not installed", hint=HINT)
    if status in THROTTLED:
        return Retryable(f"gpuhunt's server answers {status}", after_s=WAIT_S)
    return SourceFailed(f"gpuhunt's catalogs cannot be had: {' '.join(told.split())[:200]}")
