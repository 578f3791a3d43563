"""A stand-in for Slack's incoming webhooks on this machine."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import MappingProxyType
from typing import NamedTuple


class Answer(NamedTuple):
    """A status, a body and headers."""

    status: int
    said: str
    headers: Mapping[str, str] = MappingProxyType({})


SECRET_PATH = "/services/T00/B00/secret"
TAKEN = Answer(200, "ok")
REFUSED = Answer(404, "no_service")


class SlackStandIn(HTTPServer):
    """Gives `answers` one by one, the last one for ever. `got` has each message, `told` its text."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Webhook)
        self.answers = list(answers)
        self.got: list[dict[str, str]] = []

    @property
    def told(self) -> list[str]:
        """The texts so far."""
        return [message["text"] for message in self.got]

    @property
    def url(self) -> str:
        """The webhook."""
        return f"http://127.0.0.1:{self.server_port}{SECRET_PATH}"


class _Webhook(BaseHTTPRequestHandler):
    server: SlackStandIn
    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.said.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def slack(*answers: Answer) -> Iterator[SlackStandIn]:
    """A stand-in that answers until the block ends; without `answers` it takes every message."""
    with SlackStandIn(answers or (TAKEN,)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
