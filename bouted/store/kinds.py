"""Enums that only the store's own records use."""

from enum import StrEnum


class ActionState(StrEnum):
    """How far an action is."""

    INTENT = "intent"  # written before acting; still so after a crash in between
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # the daemon died in between, as the next one found


class AlertState(StrEnum):
    """Whether an incident goes on."""

    OPEN = "open"
    RESOLVED = "resolved"


class Verdict(StrEnum):
    """What is thought of a source's word on an offer."""

    BELIEVED = "believed"
    OUTVOTED = "outvoted"  # sound, but another source's is believed
    QUARANTINED = "quarantined"
