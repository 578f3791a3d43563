"""Runs a gateway until it is told to end."""

import errno
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from bouted.config.running import is_loopback
from bouted.errors import Misconfigured
from bouted.gateway.app import Gateway
from bouted.gateway.keys import ApiKeys

_BACKLOG = 2048


def serve(state_dir: Path, host: str, port: int, api_keys_file: Path | None) -> None:
    """Serve on `host`:`port` (0: any free port) until SIGTERM or SIGINT; running streams finish first.

    Misconfigured when the port cannot be had, or when other machines can reach `host` and there are no keys.
    """
    if api_keys_file is None and not is_loopback(host):
        raise Misconfigured(
            "listen.api_keys_file",
            f"is needed: {host} can be reached from other machines",
            hint="name a file with one key per line, or listen on 127.0.0.1",
        )
    keys = None if api_keys_file is None else ApiKeys.read(api_keys_file)
    app = Gateway(state_dir).app(keys)
    with listener(host, port) as sock:
        print(f"gateway listens on http://{host}:{sock.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_keep_alive=75,
        )
        # uvicorn raises the signal again once it has stopped; being told to end is not a failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        uvicorn.Server(config).run(sockets=[sock])


def listener(host: str, port: int) -> socket.socket:
    """A bound socket."""
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named; else first tokens wait 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((name, port))
        sock.listen(_BACKLOG)
    except OSError as cause:
        sock.close()
        raise _unusable(host, port, cause) from cause
    return sock


def _unusable(host: str, port: int, cause: OSError) -> Misconfigured:
    if cause.errno == errno.EADDRINUSE:
        hint = "stop what listens there, or choose another port with --port"
        return Misconfigured("listen.gateway_port", f"port {port} is in use", hint=hint)
    if cause.errno == errno.EACCES:
        hint = "choose a port of 1024 or more"
        return Misconfigured("listen.gateway_port", f"port {port} is not allowed", hint=hint)
    hint = "give an address of this machine"
    return Misconfigured("listen.gateway_host", f"cannot listen on {host}: {cause.strerror}", hint=hint)
