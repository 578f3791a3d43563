"""The process that holds SkyPilot's SDK: `python -m bouted.providers.sky_worker`, run by `sky_client`.

The SDK reads HOME when it is imported, takes 160 MB and remembers a server that has died; so it lives here,
and is replaced together with the server. It answers the calls of `sky_wire`, several at a time, and ends
when stdin does. It never starts an API server: that is `sky_server`'s part.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from .sky_calls import CALLS
from .sky_wire import SkyError

AT_ONCE = 8


def main() -> int:
    """Serve calls until stdin ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the SDK prints must not mix with answers
    turn = threading.Lock()

    def serve(line: str) -> None:
        message = json.loads(line)
        answer = json.dumps({"id": message["id"]} | _answer(CALLS[message["call"]], message["args"]))
        with turn:
            answers.write(answer + "\n")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for line in sys.stdin:
            pool.submit(serve, line)
    return 0


def _answer(call: Callable[..., object], args: Mapping[str, Any]) -> dict[str, object]:
    try:
        return {"answer": call(**args)}
    except Exception as error:  # the process's edge: whatever the SDK raises is told, by its name
        return {"error": asdict(SkyError(type=type(error).__name__, message=str(error)))}


if __name__ == "__main__":
    sys.exit(main())
