"""SkyPilot to ask something of: as the daemon has it, or in a folder of its own that goes afterwards."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from bouted.clock import SystemClock
from bouted.errors import Retryable

from .local_process import is_locked
from .ports import free_port
from .sky_client import SkyClient
from .sky_home import SkyHome
from .sky_options import SkyOptions
from .sky_server import START_S, SkyServer

LOOK_S = 0.5
AGAIN_S = 30.0


@contextmanager
def served(home: SkyHome, options: SkyOptions) -> Iterator[SkyClient]:
    """The calls of SkyPilot with a server that answers them, and knows the options and credentials of now.
    Where none runs in `home`, one is started in a folder that is nobody's, and ended: whoever asks may be
    another user than the daemon."""
    if is_locked(home.server_lock):
        if home.is_own:
            home.prepare(options.settings(), options.credentials_from)
        client = SkyClient(home)
        try:
            yield client
        finally:
            client.close()
        return
    with TemporaryDirectory(prefix="bouted-sky-", ignore_cleanup_errors=True) as folder, _leaving_on_term():
        spare = replace(home, folder=Path(folder), port=free_port())
        with _running(spare, options):
            client = SkyClient(spare)
            try:
                yield client
            finally:
                client.close()


@contextmanager
def _running(home: SkyHome, options: SkyOptions) -> Iterator[None]:
    def prepare() -> None:
        home.prepare(options.settings(), options.credentials_from)

    server, until = SkyServer(home=home, clock=SystemClock(), prepare=prepare), monotonic() + START_S
    try:
        while not server.tend():
            if monotonic() > until:
                raise Retryable(server.trouble, after_s=AGAIN_S)
            sleep(LOOK_S)
        yield
    finally:
        server.stop()


@contextmanager
def _leaving_on_term() -> Iterator[None]:
    """A server outlives who started it unless that ends it: on SIGTERM, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
