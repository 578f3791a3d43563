"""One machine's namespaces: its own processes, network, files and name, cut from this machine's.

It sees this machine's programs read-only; what it writes lies in `disk`, which should be in memory. It has
no way out but its loopback.
"""

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bouted.testing.ec2.needs import UNSHARE, USER, NoStandInCloud, user_id
from bouted.testing.processes import until

_CLONE_NEWNET = 0x40000000
_Made = TypeVar("_Made")

# $1: the disk; $2: the image; $3: host name; $4: the user; $5: uid; $6: how many folders to show;
# then these, each with where to show it; then folders to hide.
# An account with a locked ("!") password is refused by sshd without PAM, hence '*'.
_BOOT = """
set -eu
disk=$1; image=$2; name=$3; user=$4; uid=$5; shown=$6; shift 6
mount --make-rprivate /
mount -t proc proc /proc
mount -o remount,bind,ro /
mkdir -p "$disk/homes/$user" "$disk/tmp"; chmod 1777 "$disk/tmp"
mount --bind "$disk/homes" /home
over() { # the lower folder, where the overlay goes, its name
    mkdir -p "$disk/$3.up" "$disk/$3.wk"; chmod --reference="$1" "$disk/$3.up"
    mount -t overlay "$3" -o "lowerdir=$1,upperdir=$disk/$3.up,workdir=$disk/$3.wk" "$2"
}
for part in etc var root opt; do over /$part /$part $part; done
over "$image" "/home/$user" home
while [ "$shown" -gt 0 ]; do
    mkdir -p "$2"; mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"; shift 2; shown=$((shown - 1))
done
mount --bind "$disk/run" /run; mkdir -p /run/sshd
mount -t tmpfs shm /dev/shm
hostname "$name"; ip link set lo up; ip addr add 169.254.169.254/32 dev lo
echo "127.0.0.1 localhost $name" > /etc/hosts
id "$user" >/dev/null 2>&1 || useradd -M -d "/home/$user" -s /bin/bash -u "$uid" "$user"
usermod -p '*' "$user"
rm -rf /etc/sudoers.d/*; echo "$user ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/machine
chmod 440 /etc/sudoers.d/machine
chmod a+x /root # the interpreter may lie there
chown "$user:" "/home/$user"; chmod 755 "/home/$user"
install -d -o "$user" -g "$user" -m 700 "/home/$user/.ssh"
install -o "$user" -g "$user" -m 600 /run/authorized_keys "/home/$user/.ssh/authorized_keys"
mount --bind "$disk/tmp" /tmp
for folder in "$@"; do # one below /tmp cannot be seen in there anyway
    [ ! -d "$folder" ] || mount -t tmpfs -o ro hidden "$folder"
done
touch /run/booted
set +e
while :; do sleep 86400 & wait $!; done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """Namespaces that live as long as `init`, the first process in them."""

    unshare: subprocess.Popen[bytes]
    init: int

    @classmethod
    def boot(
        cls,
        disk: Path,
        *,
        image: Path,
        name: str,
        shared: tuple[tuple[Path, Path], ...],
        hidden: tuple[Path, ...],
        log: Path,
    ) -> "Namespaces":
        """Start them; `disk`/run becomes /run and holds `authorized_keys`. NoStandInCloud if that fails."""
        pairs = [str(path) for pair in shared for path in pair]
        told = [
            "boot",
            str(disk),
            str(image),
            name,
            USER,
            str(user_id()),
            str(len(shared)),
            *pairs,
            *map(str, hidden),
        ]
        with log.open("ab") as out:
            unshare = subprocess.Popen(
                [*UNSHARE, "bash", "-c", _BOOT, *told], stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        booted = disk / "run" / "booted"
        until(lambda: booted.exists() or unshare.poll() is not None, patience_s=60.0)
        if not booted.exists():
            raise NoStandInCloud(f"machine {name} does not boot, see {log}")
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text()
        return cls(unshare=unshare, init=int(children.split()[0]))

    def inside(self, *argv: str) -> list[str]:
        """The command that runs `argv` in them."""
        return ["nsenter", "-t", str(self.init), "-p", "-n", "-m", "-u", "-i", *argv]

    def on_network(self, make: Callable[[], _Made]) -> _Made:
        """What `make` makes on the machine's network: a socket stays on the one it was made on."""
        made: list[_Made] = []
        failed: list[OSError] = []

        def work() -> None:
            try:
                _join_network(self.init)
                made.append(make())
            except OSError as cause:
                failed.append(cause)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]

    def end(self) -> None:
        """Kill everything in them, at once."""
        with suppress(ProcessLookupError):
            os.kill(self.init, signal.SIGKILL)
        self.unshare.wait()


def _join_network(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if libc.setns(fd, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)
