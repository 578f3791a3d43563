"""A part of 127.0.0.0/8 that no other stand-in cloud on this machine uses."""

import fcntl
import os
import tempfile
from pathlib import Path

from bouted.testing.ec2.needs import NoStandInCloud

_OCTETS = range(10, 250)


def claim_octet() -> tuple[int, int]:
    """The second octet of addresses to use, and the descriptor that holds the claim until it is closed."""
    for octet in _OCTETS:
        path = Path(tempfile.gettempdir()) / f"bouted-ec2-127.{octet}.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return octet, fd
        except BlockingIOError:
            os.close(fd)
    raise NoStandInCloud("every part of 127.0.0.0/8 is in use")
