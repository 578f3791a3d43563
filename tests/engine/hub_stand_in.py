"""As much of the hub's API as a download takes, for one repository that only a token may read."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

TOKEN = "hush"
_COMMIT = "0" * 40


@contextmanager
def hub_with(repository: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """The address of a hub that has it, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(401, b"{}", {"X-Error-Code": "GatedRepo"})
            elif self.path.startswith(f"/api/models/{repository}"):
                self._send(200, json.dumps(_about(self.path, repository, files)).encode(), {})
            else:
                body = files[self.path.split(f"/resolve/{_COMMIT}/")[1]]
                self._send(200, body, {"ETag": f'"{_digest(body)}"', "X-Repo-Commit": _COMMIT})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _about(path: str, repository: str, files: Mapping[str, bytes]) -> object:
    """Its files, as the tree or as the model's card has them."""
    if path.startswith(f"/api/models/{repository}/tree/"):
        return [
            {"type": "file", "path": name, "size": len(body), "oid": _digest(body)}
            for name, body in files.items()
        ]
    return {"id": repository, "sha": _COMMIT, "siblings": [{"rfilename": name} for name in files]}


def _digest(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()
