"""Where the store lives, spelled as a URL and as people read it. Standard library only."""

import re
from pathlib import Path
from urllib.parse import quote, unquote

SCHEMA_REVISION = "0001"
"""The newest migration this bouted knows. Revisions are four digits and only grow."""

_SQLITE = "sqlite:///"


def sqlite_url(state_dir: Path) -> str:
    """The URL of the SQLite store in a state folder."""
    return _SQLITE + quote(str(state_dir.absolute() / "bouted.db"))


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite URL; None when the URL names another database."""
    if not url.startswith(_SQLITE):
        return None
    return Path(unquote(url.removeprefix(_SQLITE).partition("?")[0]))


def shown(url: str) -> str:
    """The store as people should see it: the file, or the URL without its password."""
    path = sqlite_path(url)
    return str(path) if path is not None else re.sub(r"(://[^:@/]*):[^@/]*@", r"\1:***@", url)
