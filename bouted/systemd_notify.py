"""Tells systemd how the daemon is; silent where systemd did not start it."""

import os
import socket


def notify(*lines: str) -> bool:
    """Sends lines such as READY=1 to systemd; False when it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # abstract: a name outside the file system
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto("\n".join(lines).encode(), address)
    except OSError:  # a manager that went away must not take the daemon with it
        return False
    return True


def watchdog_interval_s() -> float | None:
    """Seconds between two WATCHDOG=1, half of what systemd allows; None when it does not watch us."""
    allowed_us = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not allowed_us.isdigit() or int(allowed_us) == 0 or watched != str(os.getpid()):
        return None
    return int(allowed_us) / 2e6
