"""The folder that SkyPilot takes for its HOME: its state, our settings for it, and a way to the credentials.

It is apart from the user's own, so that nobody's `sky` commands meet the fleet. SkyPilot finds cloud
credentials under HOME; those of the user are linked into it.
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from .local_files import write_once, write_whole

LINKED = (
    ".aws",
    ".azure",
    ".cache/gcloud",
    ".config/gcloud",
    ".config/vastai",
    ".kube",
    ".lambda_cloud",
    ".runpod",
    ".sky/ssh_keys",
    ".sky/ssh_node_pools.yaml",
    ".sky/ssh_node_pools_info",
)
WORKER = "BOUTED_SKY_WORKER=1"  # in the environment of our own process that has SkyPilot's SDK
_FORGET = ("AWS_CA_BUNDLE", "SKYPILOT_API_SERVER_ENDPOINT", "SKYPILOT_GLOBAL_CONFIG", "PYTHONPATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyHome:
    """Where SkyPilot lives (`folder`), and on which loopback `port` its API server listens."""

    folder: Path
    port: int

    @property
    def user(self) -> str:
        """SkyPilot's user, a part of the name of everything in the clouds: eight hex digits, drawn once and
        kept in the folder. Two deployments that chose one name in one account are two users."""
        file = self.folder / ".sky" / "user_hash"
        try:
            return file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            self._make()
            return write_once(file, secrets.token_hex(4).encode()).decode("ascii").strip()

    @property
    def is_own(self) -> bool:
        """Whether the folder is there and this process's user keeps it: what another user who looks has for
        credentials is not what its server is to use."""
        try:
            return self.folder.stat().st_uid == os.geteuid()
        except OSError:
            return False

    def prepare(self, settings: Mapping[str, object], credentials_from: Path) -> None:
        """Make the folder, write SkyPilot's config from `settings` and link the credentials that exist; what
        was said before goes. A server that runs meanwhile never reads half a file."""
        self._make()
        _keep(self.folder / ".sky" / "config.yaml", yaml.safe_dump(dict(settings)) if settings else "")
        if credentials_from.resolve() != self.folder.resolve():
            for name in LINKED:
                self._link(credentials_from / name, self.folder / name)

    def _make(self) -> None:
        (self.folder / ".sky").mkdir(parents=True, exist_ok=True)
        for private in (self.folder, self.folder / ".sky"):  # the keepers' tokens are in there
            private.chmod(0o700)

    def _link(self, theirs: Path, ours: Path) -> None:
        if ours.is_symlink() and ours.readlink() != theirs:
            ours.unlink()
        if theirs.exists() and not ours.is_symlink() and not ours.exists():
            ours.parent.mkdir(parents=True, exist_ok=True)
            ours.symlink_to(theirs)

    @property
    def url(self) -> str:
        """Where the API server answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def server_log(self) -> Path:
        """What the API server, and whatever it starts, writes."""
        return self.folder / "api-server.log"

    @property
    def server_lock(self) -> Path:
        """What this home's API server holds for as long as it lives."""
        return self.folder / "api-server.lock"

    def environment(self) -> dict[str, str]:
        """What SkyPilot's processes get to see: this process's environment, with another HOME."""
        kept = {name: value for name, value in os.environ.items() if name not in _FORGET}
        return kept | {
            "HOME": str(self.folder),
            "SKY_RUNTIME_DIR": str(self.folder),
            "SKYPILOT_API_SERVER_LOCAL_PORT": str(self.port),
            "SKYPILOT_USER_ID": self.user,
            "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        }

    @property
    def mark(self) -> str:
        """The line of a process's environment that says it is SkyPilot's, and this home's."""
        return f"SKY_RUNTIME_DIR={self.folder}"

    def request_log(self, request_id: str) -> Path:
        """What the API server wrote while it worked on a request."""
        return self.folder / ".sky" / "api_server" / "request_logs" / f"{request_id}.log"

    def provision_logs(self, since: datetime) -> tuple[Path, ...]:
        """What the API server wrote in all detail about launches, a file for each; those that were written to
        since then, the newest first."""
        at = {}
        for path in self.folder.glob("sky_logs/sky-*/provision.log"):
            with suppress(FileNotFoundError):  # SkyPilot clears old ones away
                at[path] = path.stat().st_mtime
        new = [path for path in at if at[path] >= since.timestamp()]
        return tuple(sorted(new, key=lambda path: at[path], reverse=True))


def _keep(path: Path, text: str) -> None:
    """Have `text` in a file, and no file for an empty one."""
    if not text:
        path.unlink(missing_ok=True)
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text.encode())
