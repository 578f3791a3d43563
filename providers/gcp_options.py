"""Options of the source `gcp`, checked before anything of Google's is loaded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bouted.errors import Misconfigured

from .source_options import PATH, Options

REGIONS = ("us-central1", "us-east4", "us-west1", "europe-west4")
FAMILIES = ("a2", "a3", "a4", "g2", "g4")
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpOptions:
    """What a config may say about this source.

    `types` are machine families ("g2") or whole names ("a3-highgpu-8g"). `advice_types` are whole names whose
    obtainability is asked for: each costs a call per region and hour. `api_key_file` is for the price list
    only. `endpoint` is somebody's stand-in: it is talked to without credentials. `spot_run_h` is how long a
    Spot VM is taken to run on average, needed to read Google's preemption rate as odds per hour.
    """

    project: str = ""
    regions: tuple[str, ...] = REGIONS
    types: tuple[str, ...] = FAMILIES
    advice_types: tuple[str, ...] = ()
    api_key_file: Path | None = None
    endpoint: str = ""
    deadline_s: float = 25.0
    call_timeout_s: float = 10.0
    advice_every_s: float = 3600.0
    listing_every_s: float = 86400.0
    spot_run_h: float = 24.0
    notice_poll_s: float = 15.0

    def wants(self, machine_type: str) -> bool:
        """Whether it is one of `types`, or of one of their families."""
        return machine_type in self.types or machine_type.partition("-")[0] in self.types


def read_options(options: Mapping[str, Any], config_dir: Path) -> GcpOptions:
    """The options as a config has them; Misconfigured, by its path, for what cannot be."""
    asked = Options("gcp", options)
    read = GcpOptions(
        project=asked.text("project", ""),
        regions=_names("regions", asked.texts("regions", REGIONS)),
        types=_names("types", asked.texts("types", FAMILIES)),
        advice_types=_names("advice_types", asked.texts("advice_types", ()), least=0),
        api_key_file=asked.file("api_key_file", config_dir),
        endpoint=asked.text("endpoint", ""),
        deadline_s=asked.number("deadline_s", 25.0, least=0.1),
        call_timeout_s=asked.number("call_timeout_s", 10.0, least=0.1),
        advice_every_s=asked.number("advice_every_s", 3600.0),
        listing_every_s=asked.number("listing_every_s", 86400.0),
        spot_run_h=asked.number("spot_run_h", 24.0, least=0.1),
        notice_poll_s=asked.number("notice_poll_s", 15.0, least=0.01),
    )
    asked.close()
    if read.endpoint and not read.project:
        raise Misconfigured(f"{PATH}.gcp.project", "is needed with an endpoint", hint="project: NAME")
    return read


def _names(key: str, names: tuple[str, ...], *, least: int = 1) -> tuple[str, ...]:
    """Names as Google spells them: they go into a filter, so nothing else may."""
    odd = [name for name in names if not _NAME.fullmatch(name)]
    if odd or len(names) < least:
        told = f"{odd[0]!r} is no name like g2 or us-central1" if odd else "must name at least one"
        raise Misconfigured(f"{PATH}.gcp.{key}", told)
    return names
