"""A home for SkyPilot in which it knows one cloud, the stand-in, and all that it keeps lies apart."""

import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bouted.testing.ec2.account import VPC
from bouted.testing.ec2.catalog import Listing, write_catalog
from bouted.testing.ec2.needs import SHELL_PATH
from bouted.testing.ec2.ssh import Key, free_port
from bouted.testing.processes import until

SKY_KEY = "AKIASTANDINSKYPILOT0"
USER_HASH = "b0b0cafe"  # the end of every name SkyPilot gives in the cloud
_CREDENTIALS = """\
[default]
aws_access_key_id = {key}
aws_secret_access_key = secret
endpoint_url = {url}
region = us-east-1
"""
_CONFIG = f"""\
allowed_clouds: [aws]
aws:
  vpc_name: {VPC}
  use_internal_ips: true
  use_ssm: false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyHome:
    """The folder that is HOME for SkyPilot's client and server, and the port of the latter."""

    folder: Path
    api_port: int

    @classmethod
    def make(
        cls, folder: Path, *, url: str, listings: Iterable[Listing], zone_ids: Mapping[str, str]
    ) -> "SkyHome":
        """Furnish `folder` for the cloud whose API is at `url`."""
        said = _CREDENTIALS.format(key=SKY_KEY, url=url)
        # SkyPilot copies only the first to instances.
        files = {".aws/credentials": said, ".aws/config": said, ".sky/config.yaml": _CONFIG}
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        write_catalog(folder / ".sky" / "catalogs" / "v8", listings, zone_ids)
        return cls(folder=folder, api_port=free_port())

    def env(self) -> dict[str, str]:
        """The whole environment of a SkyPilot client or server that lives here."""
        return {
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}:{SHELL_PATH}",
            "LANG": "C.UTF-8",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.0/8,localhost",
            "SKYPILOT_API_SERVER_LOCAL_PORT": str(self.api_port),
            "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
            "SKYPILOT_USER_ID": USER_HASH,
        }

    @property
    def key(self) -> Key:
        """The key that SkyPilot made for its machines, once it has."""
        return Key(path=next((self.folder / ".sky" / "clients").glob("*/ssh/sky-key")))

    def living(self) -> dict[int, str]:
        """The command lines, by pid, of all processes that have this home."""
        mark = f"HOME={self.folder}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                lines = (entry / "environ").read_bytes().split(b"\0")
                if mark in lines or self._has_output_of(entry):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(entry.name)] = command.decode(errors="replace").strip()
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
        return found

    def _has_output_of(self, entry: Path) -> bool:
        """SkyPilot's executors write their titles over the environment that they were started with."""
        with suppress(OSError):
            return (entry / "fd" / "1").readlink().is_relative_to(self.folder)
        return False

    def end(self) -> None:
        """Kill all processes that have this home: SkyPilot's server leaves some that ignore SIGTERM."""

        def none_left() -> bool:
            living = self.living()
            for pid in living:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    continue
            return not living

        until(none_left)
