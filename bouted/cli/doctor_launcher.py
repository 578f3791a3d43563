"""What the doctor found out about the launcher, as lines and as JSON. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bouted.cli.columns import columns
from bouted.reconcile.checkup import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherExamined:
    """The launcher that the config names, and what it found; nothing where it needs nothing."""

    name: str
    findings: tuple[Finding, ...] = ()

    @property
    def well(self) -> bool:
        """Nobody needs to act."""
        return all(finding.well for finding in self.findings)


def launcher_lines(examined: LauncherExamined) -> list[str]:
    """A line per finding, then what to do about them."""
    if not examined.findings:
        return []
    head = (f"LAUNCHER {examined.name}", "STATE", "")
    rows = [(finding.what, finding.state.value, finding.told) for finding in examined.findings]
    hints = [f"{finding.what}: {finding.hint}" for finding in examined.findings if finding.hint]
    return ["", *columns([head, *rows]), *_below(hints)]


def launcher_document(examined: LauncherExamined) -> dict[str, Any]:
    """The same for JSON."""
    return {"name": examined.name, "findings": [asdict(finding) for finding in examined.findings]}


def _below(hints: Sequence[str]) -> list[str]:
    return ["", *hints] if hints else []
