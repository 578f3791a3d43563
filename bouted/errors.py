"""Errors, named by the caller's next move. Anything else that is raised is a bug.

Every error carries a message in one line and, where a person can act, a hint in another.
"""


class BoutedError(Exception):
    """Something the caller can act on: `message` says what, `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class Retryable(BoutedError):
    """Try the same call again after `after_s` seconds."""

    def __init__(self, message: str, *, after_s: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.after_s = after_s


class NoCapacity(BoutedError):
    """The offer cannot be had now: mark it and plan again without it."""

    def __init__(self, offer_id: str, *, message: str = "", hint: str = "") -> None:
        super().__init__(message or f"no capacity for {offer_id}", hint=hint)
        self.offer_id = offer_id


class QuotaExceeded(BoutedError):
    """The account may not rent this: remember it for long and tell the operator."""


class Gone(BoutedError):
    """The thing no longer exists: success for whoever wanted it stopped."""


class NotYet(BoutedError):
    """Accepted but not finished: ask again later."""


class Misconfigured(BoutedError):
    """A person must change something: `path` is the file or the dotted config path."""

    def __init__(self, path: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message, hint=hint)
        self.path = path


class BudgetRefused(BoutedError):
    """Acting would break the spend cap: do not act, plan again."""


class Infeasible(BoutedError):
    """No plan meets the targets: the message names the nearest one that would."""


class SourceFailed(BoutedError):
    """A price source gave nothing usable: keep what is known, age it, try again later."""


class SourceBroken(SourceFailed):
    """A price source cannot be read until a person mends it: a daemon does not start with it."""


class NotConfigured(SourceFailed):
    """A source has no credentials here: leave it out, and say so only where somebody asks."""


class PermissionMissing(SourceFailed):
    """A source may not ask: `permission` is the one to grant, by the cloud's own name for it."""

    def __init__(self, permission: str, *, hint: str = "") -> None:
        super().__init__(f"permission missing: {permission}", hint=hint)
        self.permission = permission


class AlreadyRunning(BoutedError):
    """Another daemon holds this state folder: do not start."""
