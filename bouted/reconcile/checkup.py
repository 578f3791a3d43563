"""What a launcher finds out about its own set-up, as `bouted doctor` tells it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class State(StrEnum):
    """How one thing is."""

    OK = "ok"
    OFF = "off"  # not set up, and it may stay so
    TROUBLE = "trouble"  # somebody must act before anything can be launched


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `told` and `hint` are a line each: how it is, and what to do about it."""

    what: str
    state: State
    told: str
    hint: str = ""

    @property
    def well(self) -> bool:
        """Nobody needs to act."""
        return self.state is not State.TROUBLE


@runtime_checkable
class ChecksUp(Protocol):
    """A launcher that can tell what its set-up lacks."""

    def check_up(self) -> tuple[Finding, ...]:
        """All that was looked at. Changes nothing; blocks, for a minute or two at worst."""
        ...
