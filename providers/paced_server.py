"""What paced engines have in common as HTTP servers: how they listen, and how they end."""

import asyncio
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

import uvicorn

from .local_pace import Pacer

_KEEP_ALIVE_S = 75
_LOOK_S = 0.02


class Drains(Protocol):
    """An app that can be told to refuse what is new."""

    draining: bool


class PacedServer(uvicorn.Server):
    """Asks for a drain where uvicorn would stop at once."""

    def __init__(self, app: Any, drain: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=1,
            )
        )
        self._drain = drain
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._drain)


def listen(host: str, port: int, *, reuse: bool) -> socket.socket:
    """A bound socket; connections queue until the server accepts them."""
    # asyncio turns Nagle's delay off only where the protocol is named, and 40 ms would hide every pace.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if reuse:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    return listener


async def drain(
    ending: asyncio.Event, app: Drains, pacer: Pacer, server: uvicorn.Server, timeout_s: float
) -> None:
    """Once the engine is to end: refuse what is new, let the rest finish for a while, then stop."""
    await ending.wait()
    app.draining = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while pacer.load and loop.time() < deadline:
        await asyncio.sleep(_LOOK_S)
    pacer.abort_all()
    print("ends", flush=True)
    server.should_exit = True
