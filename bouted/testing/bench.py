"""What a bench prints: one row per figure it was asked for, with honest values, as one JSON object."""

import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any


@dataclass(slots=True)
class Bench:
    """Collects rows; `finish` writes `build/bench/NAME.json` and prints the same as the last line."""

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=monotonic)

    def row(
        self,
        name: str,
        value: float | None,
        unit: str,
        target: float | None,
        better: str,
        *,
        provided: bool = True,
    ) -> None:
        """A figure; `better` is "lower" or "higher". None as value says that it could not be measured.

        `provided` is what must be true besides for the target to count as met.
        """
        held = None
        if value is not None and target is not None:
            held = provided and (value <= target if better == "lower" else value >= target)
        shown = None if value is None else float(f"{value:.6g}")
        self.rows.append(
            {"name": name, "value": shown, "unit": unit, "target": target, "better": better, "ok": held}
        )
        aim = "" if target is None else f"  (target {'<=' if better == 'lower' else '>='} {target:g})"
        mark = {True: "ok", False: "MISSED", None: "-"}[held]
        print(f"{mark:6} {name}: {'not measured' if shown is None else f'{shown:g} {unit}'}{aim}", flush=True)

    def note(self, text: str) -> None:
        """A line that a reader of the figures needs."""
        self.notes.append(text)
        print(f"       {text}", flush=True)

    def finish(self) -> int:
        """Write and print everything; the exit code says whether every target that was measured is met."""
        told = json.dumps(
            {
                "bench": self.name,
                "seconds": round(monotonic() - self.began, 1),
                "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
                "rows": self.rows,
                "notes": self.notes,
            }
        )
        path = Path("build/bench") / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(told + "\n", encoding="utf-8")
        print(told, flush=True)
        return 0 if all(row["ok"] is not False for row in self.rows) else 1
