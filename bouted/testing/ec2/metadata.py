"""Instance metadata, version 2: what 169.254.169.254 tells a machine of itself and its role."""

import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS = ("169.254.169.254", 80)
ROLE, ROLE_KEY = "skypilot-v1", "ASIASTANDINROLE00000"
_TOKEN = "X-aws-ec2-metadata-token"
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What a machine is rented as."""

    id: str
    ip: str
    region: str
    zone: str
    instance_type: str
    spot: bool
    user_data: str = ""


class Metadata(ThreadingHTTPServer):
    """Answers for one machine; to be made on that machine's network. `notice` is when a spot machine ends."""

    daemon_threads = True

    def __init__(self, instance: Instance) -> None:
        super().__init__(ADDRESS, _Handler)
        self.instance = instance
        self.token = f"token-of-{instance.id}"
        self.notice: datetime | None = None

    def server_bind(self) -> None:
        """As the base class, without asking for a name of the address."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS

    def start(self) -> None:
        """Answer until `end`."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()

    def answer(self, path: str) -> str | None:
        """What lies at `path`; None for nothing."""
        found = _ANSWERS.get(path.rstrip("/"))
        return found(self.instance) if found else self._noticed().get(path.rstrip("/"))

    def _noticed(self) -> Mapping[str, str]:
        if self.notice is None:
            return {}
        at = self.notice.astimezone(UTC).strftime(_STAMP)
        return {
            "/latest/meta-data/spot/instance-action": json.dumps({"action": "terminate", "time": at}),
            "/latest/meta-data/spot/termination-time": at,
        }


class _Handler(BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        asked = self.path == "/latest/api/token" and f"{_TOKEN}-ttl-seconds" in self.headers
        self._reply(200, self.server.token) if asked else self._reply(400, "")

    def do_GET(self) -> None:
        if self.headers.get(_TOKEN) != self.server.token:
            self._reply(401, "")
            return
        said = self.server.answer(self.path)
        self._reply(404, "") if said is None else self._reply(200, said)

    def _reply(self, status: int, said: str) -> None:
        self.send_response(status)
        self.send_header(f"{_TOKEN}-ttl-seconds", "21600")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _credentials(_: Instance) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": ROLE_KEY,
            "SecretAccessKey": "secret",
            "Token": "token",
            "LastUpdated": "2024-01-01T00:00:00Z",
            "Expiration": "2099-01-01T00:00:00Z",
        }
    )


def _document(instance: Instance) -> str:
    return json.dumps(
        {
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "privateIp": instance.ip,
            "region": instance.region,
            "availabilityZone": instance.zone,
        }
    )


_META = "/latest/meta-data"
_ANSWERS: Mapping[str, Callable[[Instance], str]] = {
    f"{_META}/instance-id": lambda one: one.id,
    f"{_META}/instance-type": lambda one: one.instance_type,
    f"{_META}/instance-life-cycle": lambda one: "spot" if one.spot else "on-demand",
    f"{_META}/local-ipv4": lambda one: one.ip,
    f"{_META}/placement/region": lambda one: one.region,
    f"{_META}/placement/availability-zone": lambda one: one.zone,
    f"{_META}/iam/security-credentials": lambda _: ROLE,
    f"{_META}/iam/security-credentials/{ROLE}": _credentials,
    "/latest/dynamic/instance-identity/document": _document,
}
