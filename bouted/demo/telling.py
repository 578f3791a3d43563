"""The demo's live progress: a line for each thing that happens, and one that says how it goes."""

import sys
from time import monotonic

from bouted.board import Board

EVERY_S = 5.0
KEPT_KINDS = frozenset(
    {"replan", "plan_applied", "plan_held", "plan_failed", "config_changed", "action_failed"}
)


class Teller:
    """Prints to stdout; on a terminal the present state is kept on the last line."""

    def __init__(self) -> None:
        self._started = monotonic()
        self._tty = sys.stdout.isatty()
        self._shown = 0.0
        self._seen: set[tuple[str, str]] = set()

    def say(self, text: str) -> None:
        """One line that stays."""
        self._clear()
        print(f"[{monotonic() - self._started:4.0f} s] {text}", flush=True)

    def act(self, text: str) -> None:
        """The head of a new act."""
        self._clear()
        print(f"\n== {text}", flush=True)

    def board(self, board: Board | None, waiting: int) -> None:
        """What happened since the last look, and the state now."""
        if board is None:
            return
        for event in reversed(board.events):
            key = (event.at, event.message)
            if key not in self._seen:
                self._seen.add(key)
                if event.kind in KEPT_KINDS:
                    self.say(event.message)
        line = _state(board, waiting)
        if self._tty:
            print(f"\r\x1b[K  {line}", end="", flush=True)
        elif monotonic() - self._shown >= EVERY_S:
            self._shown = monotonic()
            self.say(line)

    def _clear(self) -> None:
        if self._tty:
            print("\r\x1b[K", end="")


def _state(board: Board, waiting: int) -> str:
    ready = sum(replica.status == "ready" for replica in board.replicas)
    plan = board.plan.id if board.plan is not None else "-"
    rate = f"{board.rate_per_s:.1f}" if board.rate_per_s is not None else "-"
    p95 = next((t for t in board.targets if t.name == "p95 e2e"), None)
    seen = f"{p95.measured:.1f}" if p95 is not None and p95.measured is not None else "-"
    return (
        f"{board.verdict:<10} plan {plan}  ${board.usd_per_hour}/h of ${board.budget_usd_per_hour}/h  "
        f"{ready}/{len(board.replicas)} replicas ready  {rate} queries/s  p95 {seen} s  "
        f"ok {board.requests_ok}  failed {board.requests_failed}  under way {waiting}"
    )
