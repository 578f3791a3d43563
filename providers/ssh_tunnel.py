"""One SSH connection to a node, and loopback ports of this machine that lead to loopback ports there.

OpenSSH itself does it: a master connection with a control socket, in a session of its own. It outlives the
daemon, so that queries go on flowing while that restarts; whoever comes next finds it by its socket. Nothing
on the node listens anywhere but on its loopback.
"""

import logging
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bouted.errors import Gone, Retryable

from .file_lock import alone
from .last_words import last_line
from .local_files import read_json, write_json
from .ports import free_port
from .sky_wire import SshAddress

log = logging.getLogger(__name__)

CONNECT_S = 10
CALL_S = 15.0
AGAIN_S = 2.0
_SOCKET = "ssh"  # relative: the whole path may be longer than a socket's name can be
_PORTS = "ports.json"
_NOBODY = re.compile(r"Connection refused|No route to host|Could not resolve")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTunnel:
    """The tunnel whose files are in `folder`. Calls block; Retryable when the node is not reached now, Gone
    when nothing listens there."""

    folder: Path
    address: SshAddress

    def port(self, remote: int) -> int:
        """A port here that leads to that port on the node's loopback, the same for every call."""
        self.connect()
        ports = self._ports()
        known = ports.get(str(remote))
        if known is not None:
            return known
        for _ in range(3):  # a free port may be taken between the look and the use
            local = free_port()
            if self._forward(local, remote):
                write_json(self.folder / _PORTS, {**ports, str(remote): local})
                return local
        raise Retryable(f"no port of this machine could be led to {self.address.host}", after_s=AGAIN_S)

    def connect(self) -> None:
        """Make the connection if it does not stand, with the ports it had before."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Of two processes that find it down, one makes it: with a few calls, each as long as CALL_S at most.
        with alone(self.folder / "lock", 4 * CALL_S):
            if not self._stands():
                self._make()

    def _make(self) -> None:
        (self.folder / _SOCKET).unlink(missing_ok=True)
        target = f"{self.address.user}@{self.address.host}"
        asked = ("ssh", "-M", "-N", "-f", *self._options(), target)
        with (self.folder / "ssh.log").open("ab") as said:
            done = self._run(asked, stdout=said, stderr=said, start_new_session=True)
        if done.returncode != 0:
            why = f"ssh to {target} failed: {last_line(self.folder / 'ssh.log')}"
            raise Gone(why) if _NOBODY.search(why) else Retryable(why, after_s=AGAIN_S)
        kept = {remote: local for remote, local in self._ports().items() if self._forward(local, int(remote))}
        write_json(self.folder / _PORTS, kept)

    def close(self) -> None:
        """End the connection and everything that goes through it."""
        if self.folder.exists():
            self._control("exit")
            (self.folder / _PORTS).unlink(missing_ok=True)

    def command(self, *remote: str) -> tuple[str, ...]:
        """The ssh command that runs `remote` on the node, or a shell; run it in `folder`."""
        return ("ssh", *self._options(), f"{self.address.user}@{self.address.host}", *remote)

    def _forward(self, local: int, remote: int) -> bool:
        return self._control("forward", "-L", f"127.0.0.1:{local}:127.0.0.1:{remote}").returncode == 0

    def _stands(self) -> bool:
        return (self.folder / _SOCKET).exists() and self._control("check").returncode == 0

    def _control(self, order: str, *more: str) -> "subprocess.CompletedProcess[bytes]":
        target = f"{self.address.user}@{self.address.host}"
        return self._run(("ssh", "-S", _SOCKET, "-O", order, *more, target), capture_output=True)

    def _run(self, argv: tuple[str, ...], **how: object) -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(  # type: ignore[call-overload, no-any-return]
                argv, cwd=self.folder, timeout=CALL_S, stdin=subprocess.DEVNULL, check=False, **how
            )
        except subprocess.TimeoutExpired:
            raise Retryable(f"ssh to {self.address.host} took over {CALL_S:.0f} s", after_s=AGAIN_S) from None

    def _options(self) -> tuple[str, ...]:
        """The key of a machine that was just made cannot be known: the first one seen is held to."""
        settings = {
            "ControlPath": _SOCKET,
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(self.folder / "known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "ConnectTimeout": str(CONNECT_S),
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "3",
            "ExitOnForwardFailure": "yes",
            "LogLevel": "ERROR",
        }
        if self.address.proxy:
            settings["ProxyCommand"] = self.address.proxy
        said = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        return ("-F", os.devnull, "-i", self.address.key_file, "-p", str(self.address.port), *said)

    def _ports(self) -> dict[str, int]:
        return read_json(self.folder / _PORTS)
