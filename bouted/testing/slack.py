"""A stand-in for Slack's incoming webhooks on this machine."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

Answer = tuple[int, str]
"""A status and a body; Slack says `200, "ok"`."""
TAKEN: Answer = (200, "ok")
REFUSED: Answer = (404, "no_service")


class SlackStandIn(HTTPServer):
    """Gives `answers` one by one, the last one for ever. `told` has the text of each message it was sent."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Webhook)
        self.answers = list(answers)
        self.told: list[str] = []

    @property
    def url(self) -> str:
        """The webhook."""
        return f"http://127.0.0.1:{self.server_port}/services/T00/B00/secret"


class _Webhook(BaseHTTPRequestHandler):
    server: SlackStandIn
    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(str(json.loads(body)["text"]))
        answers = self.server.answers
        status, said = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(said.encode())

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
