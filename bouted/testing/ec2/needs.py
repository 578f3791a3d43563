"""What the stand-in cloud needs of the machine it runs on."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

SHELL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNSHARE = ("unshare", "--pid", "--net", "--mount", "--uts", "--ipc", "--fork", "--kill-child")
USER, _UNUSED_UID = "ubuntu", 18001
_COMMANDS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ps": "procps",
    "rsync": "rsync",
    "sudo": "sudo",
}
OWN_MACHINES = {"socat": "socat", "nc": "netcat-openbsd"}
"""What SkyPilot wants beside these to reach a Kubernetes cluster or an SSH pool; no machine here does."""
_MODULES = {"moto": "moto[server]", "boto3": "boto3", "sky": "skypilot[aws]", "awscli": "skypilot[aws]"}
_OVERLAY = """
set -eu
mount -t tmpfs disk /tmp; mkdir /tmp/up /tmp/work
mount -t overlay etc -o lowerdir=/etc,upperdir=/tmp/up,workdir=/tmp/work /etc
"""


class NoStandInCloud(Exception):
    """None can be started here; the message says why in one line."""


def why_not() -> str:
    """Why the stand-in cloud cannot run on this machine, in one line; "" where it can."""
    if sys.platform != "linux":
        return "Linux is needed"
    if os.geteuid() != 0:
        return "root is needed, to make namespaces and mount overlays"
    if missing := missing_packages():
        return f"Debian packages are missing: {' '.join(missing)}"
    if lacking := sorted({package for name, package in _MODULES.items() if find_spec(name) is None}):
        return f"Python packages are missing: {' '.join(lacking)}"
    if interpreter() is None:
        return "Python 3.11 is needed: the Ray that SkyPilot puts on instances has no later one"
    return _no_namespaces() or _port_22_taken()


def missing_packages(more: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """The Debian packages to install; `more` are the packages of further commands."""
    wanted = {**_COMMANDS, **more}
    return sorted({package for name, package in wanted.items() if not command(name)})


def command(name: str) -> str | None:
    """Where the program is; sbin counts too, which some users have not in PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SHELL_PATH}")


def interpreter() -> Path | None:
    """A Python that SkyPilot's runtime on instances can be made with."""
    for found in (Path("/usr/bin/python3.11"), Path("/usr/bin/python3.10")):
        if found.exists():
            return found
    ours = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    return ours if sys.version_info < (3, 12) and ours.exists() else None


def user_id() -> int:
    """The uid of the user `ubuntu` on instances: they see this machine's accounts, and add theirs."""
    import pwd

    try:
        return pwd.getpwnam(USER).pw_uid
    except KeyError:
        return _UNUSED_UID


def _no_namespaces() -> str:
    argv = [*UNSHARE, "--mount-proc", "sh", "-c", _OVERLAY]
    tried = subprocess.run(argv, capture_output=True, text=True, timeout=30.0)
    said = " ".join((tried.stderr or tried.stdout).split())
    return f"namespaces with overlays cannot be made here: {said}" if tried.returncode else ""


def _port_22_taken() -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.255.255.1", 22))
            probe.listen()
        except OSError as cause:
            return f"port 22 of 127.0.0.0/8 cannot be had: {cause.strerror}"
    return ""
