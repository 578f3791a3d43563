"""The processes of one server, wherever they hang in the tree: how it is ended whole.

Some of what it starts has a session and a parent of its own, and some writes its title over the environment
it was started with. So either tells: a mark in the environment, or output into the folder of the server.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_WAIT_S = 5.0
_OUTPUTS = ("1", "2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Processes with the line `mark` in their environment, or with their output in a file below `folder`; not
    those with the line `spare`."""

    mark: str
    folder: Path
    spare: str

    def living(self) -> frozenset[int]:
        """Those that live now."""
        return frozenset(
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and int(entry.name) != os.getpid() and self._has(entry)
        )

    def end(self) -> None:
        """Kill them all, and wait until none lives; some start others while they are killed."""
        until = time.monotonic() + _WAIT_S
        while (left := self.living()) and time.monotonic() < until:
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)

    def _has(self, entry: Path) -> bool:
        with suppress(OSError):  # it ended meanwhile, or is somebody else's
            lines = (entry / "environ").read_bytes().split(b"\0")
            return self.spare.encode() not in lines and (self.mark.encode() in lines or self._writes(entry))
        return False

    def _writes(self, entry: Path) -> bool:
        for number in _OUTPUTS:
            with suppress(OSError):
                if (entry / "fd" / number).readlink().is_relative_to(self.folder):
                    return True
        return False
