"""How long starts have taken here: nodes by cloud, engines by cloud and model. Kept over restarts."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .local_files import read_json, write_json

MOST = 20  # of each kind, the newest


@dataclass(slots=True)
class StartTimes:
    """Remembers the last starts of each kind in a file; what was noted once is not noted again."""

    file: Path
    _noted: set[str] = field(default_factory=set, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def note(self, kind: str, start: str, took_s: float) -> None:
        """A start of this kind, by a name of its own, took so long."""
        with self._turn:
            if start in self._noted:
                return
            self._noted.add(start)
            known = read_json(self.file)
            known[kind] = [*known.get(kind, []), round(took_s, 1)][-MOST:]
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(self.file, known)

    def usual_s(self, kind: str) -> float | None:
        """The median of the last starts of a kind; None when there was none."""
        known = read_json(self.file).get(kind)
        return median(known) if known else None


def with_usual(progress: str, usual_s: float | None) -> str:
    """How far a start is, with how long starts like it usually take."""
    if not progress or usual_s is None:
        return progress
    return f"{progress} (a start usually takes {usual_s:.0f} s)"
