"""The process that has the machines, seen from the test."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bouted.testing.ec2.child import Child


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineHost:
    """Boots a machine for each running instance, until it is stopped. Each has a log in `logs`."""

    child: Child
    logs: Path

    @classmethod
    def start(
        cls,
        *,
        url: str,
        api_port: int,
        regions: tuple[str, ...],
        image: Path,
        work: Path,
        shared: tuple[tuple[Path, Path], ...],
        hidden: tuple[Path, ...],
    ) -> "MachineHost":
        """Watch the cloud at `url`, whose API machines see at `api_port`; the rest as in StandInCloud."""
        disks, logs = work / "disks", work / "machines"
        disks.mkdir()
        logs.mkdir()
        argv = ["--url", url, "--api-port", str(api_port), "--image", str(image)]
        argv += ["--disks", str(disks), "--logs", str(logs)]
        argv += [part for region in regions for part in ("--region", region)]
        argv += ["--share", *(str(path) for pair in shared for path in pair)]
        argv += ["--hide", *(str(path) for path in hidden)]
        child = Child.start("bouted.testing.ec2.machines", *argv, log=logs / "host.log")
        return cls(child=child, logs=logs)

    def living(self) -> set[str]:
        """The ids of instances whose machines run something."""
        return set(self._ask("living"))

    def warn(self, instance_id: str, ends_at: datetime | None) -> None:
        """Tell a spot machine through its metadata when it will end; None takes that back."""
        self._ask("notice", {"id": instance_id, "at": ends_at and ends_at.isoformat()})

    def boot_slowly(self, boot_s: float) -> None:
        """From now on an instance runs for so long before its machine answers."""
        self._ask("boot", {"boot_s": boot_s})

    def stop(self) -> None:
        """Kill every machine."""
        self.child.stop()

    def _ask(self, what: str, said: object = None) -> Any:
        body = None if said is None else json.dumps(said).encode()
        with urlopen(Request(f"{self.child.url}/{what}", data=body), timeout=30.0) as answer:
            return json.load(answer)
