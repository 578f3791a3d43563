"""Who a daemon is, on a lease: one process, never two."""

import hashlib
import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Linux draws it anew whenever it starts."""

_MARK = 8


@cache
def lease_name(state_dir: Path) -> str:
    """The lease holder's name, HOST:FOLDER#MARK; it stays the same while the process lives.

    The folder's lock makes it one process. The mark tells this running machine and this very folder, so that
    a restart keeps its lease, while a clone of the machine, which has the same names, is another.
    """
    known = []
    with suppress(OSError):
        known.append(BOOT_ID.read_text(encoding="ascii").strip())
    with suppress(OSError):
        folder = os.stat(state_dir)
        known.append(f"{folder.st_dev} {folder.st_ino}")
    mark = hashlib.sha256(" ".join(known).encode()).hexdigest()[:_MARK]
    return f"{socket.gethostname()}:{state_dir}#{mark}"
