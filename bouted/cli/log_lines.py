"""Reads an engine's log as it grows, or its last lines."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bouted.errors import Gone, NotYet, Retryable
from bouted.reconcile.launcher import WithLogs
from bouted.store.read_names import Named

LOOK_S = 0.5
FIRST_BYTES, MORE = 2**16, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLines:
    """The log of one engine. `say` is told, once each, why nothing comes."""

    logs: WithLogs
    engine: Named
    say: Callable[[str], None]

    def last(self, lines: int) -> tuple[str, int]:
        """The last so many lines, and where the log goes on."""
        size = FIRST_BYTES
        while True:
            text, then = self._rest(-size)
            kept = text.splitlines(keepends=True)
            if len(kept) > lines or len(text.encode()) < size:
                return "".join(kept[len(kept) - min(lines, len(kept)) :]), then
            size *= MORE

    def follow(self, lines: int) -> Iterator[str]:
        """The last lines, and from then on what is written, until the engine ends."""
        at, said, text = -1, "", ""
        while True:
            try:
                lives = self.logs.lives(self.engine.name, self.engine.node)
                text, at = self.last(lines) if at < 0 else self._rest(at)
                said = ""
            except Gone as error:
                if at < 0:
                    raise
                self.say(f"{self.engine.name} has ended: {error.message}")
                return
            except (NotYet, Retryable) as error:
                lives, text = True, ""
                if error.message != said:
                    self.say(f"waits: {error.message}")
                    said = error.message
            if text:
                yield text
            elif not lives:
                self.say(f"{self.engine.name} has ended")
                return
            else:
                time.sleep(LOOK_S)

    def _rest(self, start: int) -> tuple[str, int]:
        """Everything from there to the end."""
        pieces: list[str] = []
        while True:
            text, then = self.logs.log(self.engine.name, self.engine.node, start)
            if not text:
                return "".join(pieces), then
            pieces.append(text)
            start = then
