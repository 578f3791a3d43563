"""The last thing that a process wrote before it ended."""

from pathlib import Path

LAST_BYTES = 4096


def last_line(file: Path) -> str:
    """The last line of a log that says anything; "no word" where there is none."""
    try:
        with file.open("rb") as said:
            said.seek(max(0, said.seek(0, 2) - LAST_BYTES))
            lines = said.read().decode(errors="replace").splitlines()
    except OSError:
        return "no word"
    return next((line.strip() for line in reversed(lines) if line.strip()), "no word")
