"""The daemon's side of the SkyPilot worker: starts it when needed, asks it, replaces it when it is silent."""

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TimesUp
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from os import SEEK_END
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bouted.errors import Retryable

from .sky_home import WORKER, SkyHome
from .sky_refusals import causes, tells_why
from .sky_wire import Late, RequestState, SkyError, SkyLook, SkyRaised, SkyRequest

log = logging.getLogger(__name__)

LOG_BYTES = 400_000
REFUSED = "refused-"
PATIENCE_S = 60.0
AGAIN_S = 5.0
_WORKERS = {WORKER.partition("=")[0]: "1", "SKYPILOT_DISABLE_LOCAL_API_SERVER": "1"}
_LOOK: TypeAdapter[SkyLook] = TypeAdapter(SkyLook)


@dataclass(slots=True)
class _Child:
    process: "subprocess.Popen[str]"
    waiting: "dict[int, Future[Any]]" = field(default_factory=dict)


@dataclass(slots=True)
class SkyClient:
    """SkyPilot's SDK at arm's length; safe to call from any thread.

    Calls raise SkyRaised with what SkyPilot raised, and Retryable when there was no answer.
    """

    home: SkyHome
    _child: _Child | None = field(default=None, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    _count: int = field(default=0, init=False)
    _refused: dict[str, SkyError] = field(default_factory=dict, init=False)

    def launch(
        self, cluster: str, task: Mapping[str, Any], secrets: Mapping[str, str], autodown_min: int
    ) -> str:
        """See `sky_calls.launch`. SkyPilot checks a task before it makes a request of it; what it refuses
        then it would refuse again, so that is told as a request which failed at once."""
        asked = {"cluster": cluster, "task": task, "secrets": secrets, "autodown_min": autodown_min}
        try:
            return self._text("launch", **asked)
        except SkyRaised as raised:
            if not tells_why(raised.error.message):
                raise
            request_id = f"{REFUSED}{cluster}"
            self._refused[request_id] = raised.error
            return request_id

    def run_again(self, cluster: str, task: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
        """See `sky_calls.run_again`."""
        return self._text("run_again", cluster=cluster, task=task, secrets=secrets)

    def down(self, cluster: str) -> str:
        """See `sky_calls.down`."""
        return self._text("down", cluster=cluster)

    def cancel(self, request_id: str) -> str:
        """See `sky_calls.cancel`."""
        return self._text("cancel", request_id=request_id)

    def refresh(self, cluster: str) -> str:
        """See `sky_calls.refresh`."""
        return self._text("refresh", cluster=cluster)

    def autodown(self, cluster: str, minutes: int) -> str:
        """See `sky_calls.autodown`."""
        return self._text("autodown", cluster=cluster, minutes=minutes)

    def check(self, clouds: Sequence[str]) -> str:
        """See `sky_calls.check`."""
        return self._text("check", clouds=clouds)

    def look(self, requests: Sequence[str], unasked: Sequence[str]) -> SkyLook:
        """See `sky_calls.look`."""
        self._refused = {one: self._refused[one] for one in requests if one in self._refused}
        asked = [one for one in requests if one not in self._refused]
        said = _LOOK.validate_python(self._ask("look", {"requests": asked, "unasked": unasked}))
        return replace(said, requests=(*said.requests, *map(_failed, self._refused)))

    def state(self, request_id: str) -> RequestState | None:
        """See `sky_calls.state`."""
        said = self._ask("state", {"request_id": request_id})
        return None if said is None else RequestState(said)

    def error(self, request_id: str) -> SkyError | None:
        """See `sky_calls.error`."""
        if request_id in self._refused:
            return self._refused[request_id]
        said = self._ask("error", {"request_id": request_id})
        return None if said is None else SkyError(**said)

    def log(self, request_id: str) -> str:
        """The end of what the API server wrote about a request; "" where it wrote nothing."""
        return _end_of(self.home.request_log(request_id))

    def launch_log(self, request_id: str, cluster: str, since: datetime) -> str:
        """The same for a launch; without a word of why it failed, with what ended it by its provision.log:
        SkyPilot keeps most of what clouds say for that one."""
        said = self.log(request_id)
        if tells_why(said):
            return said
        ended_by = (causes(_end_of(path), cluster) for path in self.home.provision_logs(since))
        return f"{said}\n{next(filter(None, ended_by), '')}".strip()

    def close(self) -> None:
        """End the worker; the next call starts another, which knows nothing of the server before."""
        with self._turn:
            child, self._child = self._child, None
        if child is not None:
            child.process.kill()
            child.process.wait()

    def _text(self, call: str, **args: object) -> str:
        return str(self._ask(call, args))

    def _ask(self, call: str, args: Mapping[str, object]) -> Any:
        answer: Future[Any] = Future()
        with self._turn:
            child = self._child = self._child or self._start()
            self._count += 1
            child.waiting[self._count] = answer
            line = json.dumps({"id": self._count, "call": call, "args": dict(args)})
            try:
                assert child.process.stdin is not None
                child.process.stdin.write(line + "\n")
                child.process.stdin.flush()
            except (OSError, ValueError):  # it died; its reader tells those that wait
                self._child = None
        try:
            return answer.result(PATIENCE_S)
        except TimesUp:
            self.close()
            said = f"SkyPilot did not answer {call} in {PATIENCE_S:.0f} s"
            raise Late(said, after_s=AGAIN_S) from None

    def _start(self) -> _Child:
        process = subprocess.Popen(
            (sys.executable, "-P", "-m", "bouted.providers.sky_worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self.home.environment() | _WORKERS,
            process_group=0,
        )
        child = _Child(process)
        threading.Thread(target=self._read, args=(child,), name="sky worker", daemon=True).start()
        return child

    def _read(self, child: _Child) -> None:
        assert child.process.stdout is not None
        assert child.process.stdin is not None
        for line in child.process.stdout:
            message = json.loads(line)
            waiting = child.waiting.pop(message["id"], None)
            if waiting is None:
                continue
            if "error" in message:
                waiting.set_exception(_raised(SkyError(**message["error"])))
            else:
                waiting.set_result(message["answer"])
        child.process.wait()
        for pipe in (child.process.stdin, child.process.stdout):
            with suppress(OSError):  # what was being written when it died is lost
                pipe.close()
        with self._turn:
            if self._child is child:
                self._child = None
        for waiting in list(child.waiting.values()):
            waiting.set_exception(Retryable("SkyPilot's worker ended", after_s=AGAIN_S))


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as said:
            said.seek(max(0, said.seek(0, SEEK_END) - LOG_BYTES))
            return said.read().decode(errors="replace")
    except OSError:
        return ""


def _failed(request_id: str) -> SkyRequest:
    cluster = request_id.removeprefix(REFUSED)
    return SkyRequest(id=request_id, kind="launch", cluster=cluster, state=RequestState.FAILED)


_ELSEWHERE = re.compile(r"host='(?!127\.|localhost)([^']+)'")
_NO_SERVER = frozenset({"ApiServerConnectionError", "ConnectionError", "ServerTemporarilyUnavailableError"})


def _raised(error: SkyError) -> Exception:
    """A server that does not answer is worth another try, and so is the place of SkyPilot's catalogs, of
    which the SDK says the same; everything else is SkyPilot's own word."""
    elsewhere = _ELSEWHERE.search(error.message)
    if error.type in _NO_SERVER and elsewhere is not None:
        said = f"SkyPilot cannot reach {elsewhere[1]}"
        hint = "it fetches its catalogs of clouds there: let it through, or set HTTPS_PROXY"
        return Retryable(said, after_s=AGAIN_S, hint=hint)
    if error.type in _NO_SERVER or "local API server on this machine is disabled" in error.message:
        return Retryable("SkyPilot's API server does not answer", after_s=AGAIN_S)
    return SkyRaised(error)
