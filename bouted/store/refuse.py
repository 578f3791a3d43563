"""Says why a store cannot be used, in one line with a hint. Standard library only."""

from pathlib import Path

from bouted.errors import BoutedError, Misconfigured, Retryable
from bouted.store.names import SCHEMA_REVISION
from bouted.store.urls import shown, sqlite_path

FULL_AFTER_S = 5.0
_FULL = ("disk is full", "no space left", "disk quota")


def future(url: str, revision: str) -> Misconfigured:
    """The database was written by a bouted that this one does not know."""
    backup = newest_backup(url, SCHEMA_REVISION)
    older = f"bouted restore {backup}" if backup else "restore a backup that was made before the upgrade"
    return Misconfigured(
        shown(url),
        f"database is at revision {revision}, this bouted knows up to {SCHEMA_REVISION}",
        hint=f"install the newer bouted, or: {older}",
    )


def unusable(url: str, cause: Exception) -> BoutedError:
    """The database cannot be opened or read; `cause` is the driver's error."""
    text = (str(cause).splitlines() or [""])[0]
    low = text.lower()
    if "locked" in low or "busy" in low:
        return Retryable(f"{shown(url)}: database is locked", after_s=1.0, hint="another process is writing")
    if any(word in low for word in _FULL):
        return full(url)
    if "unable to open" in low or "readonly" in low:
        return Misconfigured(shown(url), text, hint="check that the folder exists and who may write in it")
    if "not a database" in low or "malformed" in low:
        return Misconfigured(shown(url), text, hint=_mend(url))
    if "no such table" in low or "no such column" in low or ("relation" in low and "not exist" in low):
        return Misconfigured(shown(url), text, hint="give bouted a database of its own")
    return Misconfigured(
        shown(url), f"cannot be read: {text}", hint="check the store's address and its server"
    )


def interrupted(url: str, cause: Exception) -> BoutedError:
    """The same for a database that could be used before: a server that is gone may come back."""
    told = unusable(url, cause)
    if sqlite_path(url) is not None and "i/o error" not in str(cause).lower():
        return told
    text = (str(cause).splitlines() or [""])[0]
    if not isinstance(told, Misconfigured) or "cannot be read" not in told.message:
        return told
    hint = "check the database's disk and its server; what runs goes on"
    return Retryable(f"{shown(url)}: {text}", after_s=1.0, hint=hint)


def full(url: str) -> Retryable:
    """There is no room to write."""
    path = sqlite_path(url)
    where = f"at {path.parent}" if path is not None else "on the database's server"
    hint = f"free space {where}; what runs goes on"
    return Retryable(f"{shown(url)}: the disk is full", after_s=FULL_AFTER_S, hint=hint)


def newest_backup(url: str, kind: str = "*") -> Path | None:
    """The newest backup of a kind (a revision, `daily`) beside an SQLite file; None when there is none."""
    path = sqlite_path(url)
    found = () if path is None else path.parent.glob(f"{path.name}.{kind}.backup")
    return max(found, key=lambda backup: (backup.stat().st_mtime, backup.name), default=None)


def _mend(url: str) -> str:
    backup = newest_backup(url)
    if backup is None:
        return (
            "the file is damaged: restore a backup with `bouted restore FILE`, or move it away to start anew"
        )
    return f"the file is damaged: bouted restore {backup}"
