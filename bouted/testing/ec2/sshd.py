"""An SSH server for a machine: sshd runs inside its namespaces, the connections come from outside.

So what is forwarded by `ssh -L` reaches the machine's own loopback, as it does on a real instance.
"""

import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bouted.testing.ec2.namespaces import Namespaces
from bouted.testing.ec2.needs import SHELL_PATH, command

_CONFIG = """\
HostKey /run/hostkey
UsePAM no
PasswordAuthentication no
StrictModes no
Subsystem sftp internal-sftp
MaxSessions 100
SetEnv {variables}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    """What sshd is told: all its files are in `run`, which is the machine's /run."""

    run: Path
    log: Path

    def prepare(self, authorized_keys: tuple[str, ...], *, api_port: int, region: str) -> None:
        """Write its files. Whoever logs in has the cloud's API at 127.0.0.1:`api_port`."""
        self.run.mkdir(parents=True)
        (self.run / "authorized_keys").write_text("".join(f"{key}\n" for key in authorized_keys))
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.run / "hostkey")]
        subprocess.run(key, check=True, stdin=subprocess.DEVNULL)
        variables = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{api_port}",
            "AWS_DEFAULT_REGION": region,
            "PATH": f"/home/ubuntu/.local/bin:{SHELL_PATH}",
            "PIP_NO_INDEX": "1",
            "UV_OFFLINE": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }
        said = " ".join(f"{name}={value}" for name, value in variables.items())
        (self.run / "sshd_config").write_text(_CONFIG.format(variables=said))

    def serving(self, machine: Namespaces) -> Callable[[socket.socket], None]:
        """Serves one connection until it ends."""
        argv = machine.inside(command("sshd") or "sshd", "-i", "-e", "-f", "/run/sshd_config")

        def serve(connection: socket.socket) -> None:
            with connection, self.log.open("ab") as errors:
                fd = connection.fileno()
                subprocess.run(argv, stdin=fd, stdout=fd, stderr=errors)

        return serve
