"""Listening sockets whose connections are handed on."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_CHUNK = 65536


def listening(address: tuple[str, int]) -> socket.socket:
    """A socket that listens there."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address)
    made.listen(128)
    return made


def hand_over(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """Serve each connection in a thread of its own, until the listener is shut down."""

    def accept() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def stop(listener: socket.socket) -> None:
    """Accept no more."""
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def relay_to(port: int) -> Callable[[socket.socket], None]:
    """Serves a connection by joining it to one with 127.0.0.1:`port` of this machine."""

    def serve(near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(("127.0.0.1", port))
            except OSError:
                return
            with far:
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                _pump(near, far)
                back.join()

    return serve


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
