"""Where the store lives, spelled as a URL and as people read it.

Standard library only, and little of it: `bouted status` must start at once.
"""

import re
from pathlib import Path

_SQLITE = "sqlite:///"
_MARKS = {"%": "%25", "?": "%3F", "#": "%23"}


def sqlite_url(state_dir: Path) -> str:
    """The URL of the SQLite store in a state folder."""
    return _SQLITE + quoted(state_dir.absolute() / "bouted.db")


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite URL; None when the URL names another database."""
    if not url.startswith(_SQLITE):
        return None
    path = url.removeprefix(_SQLITE).partition("?")[0]
    if "%" in path:
        from urllib.parse import unquote

        path = unquote(path)
    return Path(path)


def quoted(path: Path) -> str:
    """A path with the characters escaped that mean something in a URL."""
    return "".join(_MARKS.get(char, char) for char in str(path))


def shown(url: str) -> str:
    """The store as people should see it: the file, or the URL without its password."""
    path = sqlite_path(url)
    return str(path) if path is not None else re.sub(r"(://[^:@/]*):[^@/]*@", r"\1:***@", url)
