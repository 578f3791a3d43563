"""The planning worker: a child process that plans, profiles layouts and fits the router.

Run as `python -m bouted.planner.worker` by `bouted.planner.client`. Requests come in on stdin and answers
go out on stdout, one JSON object a line (`bouted.planner.wire`); what anything else prints goes to stderr.
It ends when stdin does, and within a second of its parent's death even while it computes.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import BinaryIO

from bouted.codec import dump, parse
from bouted.errors import BoutedError
from bouted.planner.design import Frontier, Progress
from bouted.planner.inbox import Inbox
from bouted.planner.problem import PlanningProblem
from bouted.planner.requests import ProfileAnswer, ProfileRequest, QualityAnswer, QualityRequest
from bouted.planner.sound import require_sound, require_sound_front
from bouted.planner.wire import Request, dump_error, line

NICENESS = 10
WATCH_S = 1.0
ORPHANED = 70

Send = Callable[[bytes], None]
Stop = Callable[[], bool]


def main() -> int:
    """Serve requests until stdin ends."""
    os.nice(NICENESS)
    answers = _reserve_stdout()
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _warm()
    inbox = Inbox(os.fdopen(os.dup(sys.stdin.fileno()), "rb"))  # reading sys.stdin itself breaks exits

    def send(body: bytes) -> None:
        answers.write(body)
        answers.flush()

    for request in inbox.requests():
        try:
            send(line("answer", _answer(request, send, inbox.stopped)))
        except BoutedError as error:
            send(line("error", dump_error(error)))
    return 0


def _answer(request: bytes, send: Send, stop: Stop) -> bytes:
    envelope = json.loads(request)
    body = json.dumps(envelope["body"])
    match Request(envelope["request"]):
        case Request.PLAN:
            return _plan(parse(PlanningProblem, body), send, stop)
        case Request.PROFILES:
            from bouted.planner.answers import answer_profiles

            return dump(ProfileAnswer, answer_profiles(parse(ProfileRequest, body)))
        case Request.QUALITY:
            from bouted.planner.answers import answer_quality

            return dump(QualityAnswer, answer_quality(parse(QualityRequest, body)))


def _plan(problem: PlanningProblem, send: Send, stop: Stop) -> bytes:
    from bouted.planner.search import propose

    def tell(progress: Progress) -> None:
        send(line("progress", dump(Progress, progress)))

    require_sound(problem)
    frontier = propose(problem, tell, time.monotonic, stop=stop)
    require_sound_front(frontier)  # JSON has no NaN: it would arrive as null
    return dump(Frontier, frontier)


def _reserve_stdout() -> BinaryIO:
    """The pipe to the parent; from here on everything that prints, prints to stderr."""
    kept = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(kept, "wb")


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(ORPHANED)


def _warm() -> None:
    """Import and compile what the first plan needs, while requests are still on their way.

    Not in a thread beside them: two threads that import and compile the same modules can deadlock.
    """
    for name in ("bouted.planner.search", "bouted.planner.answers"):
        import_module(name)
    from bouted.planner.simulate_judge import warm as warm_simulator
    from bouted.planner.surrogate import warm as warm_surrogate

    warm_simulator()
    warm_surrogate()


if __name__ == "__main__":
    sys.exit(main())
