"""A proxy in front of the cloud's API that refuses what it is told to refuse, and remembers every call."""

import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bouted.testing.ec2.calls import Attempt, Call, read_call, wants_spot, zone_of

_STATUS = {
    "InsufficientInstanceCapacity": 500,
    "InternalError": 500,
    "RequestLimitExceeded": 503,
    "UnauthorizedOperation": 403,
}  # other codes come as 400
_ERROR = "<Response><Errors><Error><Code>{0}</Code><Message>{1}</Message></Error></Errors></Response>"
_HOP = {"connection", "content-length", "date", "expect", "server", "transfer-encoding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Answer `code` to calls of `action` that fit; a field that is None fits all. `times` None: always."""

    code: str
    message: str = ""
    action: str = "ec2:RunInstances"
    region: str | None = None
    zone: str | None = None
    instance_type: str | None = None
    spot: bool | None = None
    times: int | None = None

    def fits(self, call: Call, zone: str) -> bool:
        """Is it about this call, leaving aside how often?"""
        kind = call.fields.get("InstanceType")
        asked = (call.action, call.region, zone, kind, wants_spot(call))
        meant = (self.action, self.region, self.zone, self.instance_type, self.spot)
        return all(mine in (None, theirs) for mine, theirs in zip(meant, asked, strict=True))


@dataclass(slots=True, kw_only=True)
class Faults:
    """What is refused, and what was asked. Every method may be called while the proxy serves."""

    subnet_zones: Mapping[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    _left: list[tuple[Refusal, list[int | None]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refuse(self, code: str, **fields: object) -> Refusal:
        """From now on answer `code`; fields as in Refusal. Earlier refusals come first."""
        refusal = Refusal(code=code, **fields)  # type: ignore[arg-type]
        with self._lock:
            self._left.append((refusal, [refusal.times]))
        return refusal

    def relent(self, *refusals: Refusal) -> None:
        """Refuse so no more; without an argument, refuse nothing."""
        with self._lock:
            self._left = [kept for kept in self._left if refusals and kept[0] not in refusals]

    def counts(self, key: str | None = None) -> Counter[str]:
        """How often each IAM action was needed, by all or by the holder of one access key."""
        return Counter(need for call in list(self.calls) if key in (None, call.key) for need in call.needs)

    def judge(self, call: Call) -> Refusal | None:
        """Remember the call; the refusal it meets, which has then one time less left."""
        zone = zone_of(call, self.subnet_zones)
        with self._lock:
            self.calls.append(call)
            for refusal, left in self._left:
                if left[0] != 0 and refusal.fits(call, zone):
                    left[0] = left[0] and left[0] - 1
                    return refusal
        return None

    def record(self, call: Call, refused: str, answer: bytes) -> None:
        """Remember how an attempt to rent ended."""
        if call.action == "ec2:RunInstances":
            attempt = Attempt(
                at=call.at,
                region=call.region,
                zone=zone_of(call, self.subnet_zones),
                instance_type=call.fields.get("InstanceType", ""),
                spot=wants_spot(call),
                refused=refused,
                instance_ids=tuple(re.findall("<instanceId>(.*?)</instanceId>", answer.decode("latin1"))),
            )
            with self._lock:
                self.attempts.append(attempt)


class FaultProxy(ThreadingHTTPServer):
    """Serves from `start` to `stop`; hands on to 127.0.0.1:`behind` what `faults` does not refuse."""

    daemon_threads = True

    def __init__(self, faults: Faults, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults = faults
        self.behind = behind
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Serve, in threads of this process."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = read_call(self.command, self.path, headers, body, datetime.now(UTC))
        faults = self.server.faults
        refusal = faults.judge(call)
        if refusal:
            answer = _ERROR.format(refusal.code, refusal.message or refusal.code).encode()
            status, said = _STATUS.get(refusal.code, 400), {"Content-Type": "text/xml"}
            refused = refusal.code
        else:
            status, said, answer = self._behind(body, headers)
            found = re.search("<Code>(.*?)</Code>", answer.decode("latin1")) if status >= 400 else None
            refused = found[1] if found else ""
        faults.record(call, refused, answer)
        self._answer(status, said, answer)

    def _behind(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.behind, timeout=60.0)
        try:
            passed = {name: value for name, value in headers.items() if name not in _HOP}
            connection.request(self.command, self.path, body, passed)
            got = connection.getresponse()
            kept = {name: value for name, value in got.getheaders() if name.lower() not in _HOP}
            return got.status, kept, got.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: Mapping[str, str], answer: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # whoever asked has given up waiting

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
