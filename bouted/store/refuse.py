"""Says why a store cannot be used, in one line with a hint. Standard library only."""

from bouted.errors import BoutedError, Misconfigured, Retryable
from bouted.store.names import SCHEMA_REVISION
from bouted.store.urls import shown


def future(url: str, revision: str) -> Misconfigured:
    """The database was written by a bouted that this one does not know."""
    backup = "restore the backup that was made beside it before the upgrade"
    return Misconfigured(
        shown(url),
        f"database is at revision {revision}, this bouted knows up to {SCHEMA_REVISION}",
        hint=f"install the newer bouted, or {backup}",
    )


def unusable(url: str, cause: Exception) -> BoutedError:
    """The database cannot be opened or read; `cause` is the driver's error."""
    text = (str(cause).splitlines() or [""])[0]
    low = text.lower()
    if "locked" in low or "busy" in low:
        return Retryable(f"{shown(url)}: database is locked", after_s=1.0, hint="another process is writing")
    if "unable to open" in low or "readonly" in low:
        return Misconfigured(shown(url), text, hint="check that the folder exists and who may write in it")
    if "not a database" in low or "malformed" in low:
        return Misconfigured(
            shown(url), text, hint="the file is damaged: restore a backup, or move it away to start anew"
        )
    if "no such table" in low or "no such column" in low or ("relation" in low and "not exist" in low):
        return Misconfigured(shown(url), text, hint="give bouted a database of its own")
    return Misconfigured(
        shown(url), f"cannot be read: {text}", hint="check the store's address and its server"
    )
