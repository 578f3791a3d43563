"""The config files of a simulated deployment: one per host, the same but for the state folder."""

import os
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from bouted.daemon.parts import Loaded, load

_TEXT = """\
version: 1
deployment: sim
mode: {mode}
state_dir: state-{host}
database: {{url: "sqlite:///{folder}/bouted.db"}}
budget: {{usd_per_hour: {budget}, surge_usd_per_hour: {surge}}}
targets: {{e2e_p95_s: 20, quality_min: 0.7}}
workload: {{rate_per_s: 2, prompt_tokens: 100, output_tokens: 40, window_s: 20}}
models:
  - {{name: small, spec: llama-3.1-8b, min_replicas: {floor}}}
  - {{name: large, spec: llama-3.1-70b, min_replicas: 1}}
routing: {{synthetic: true}}
supply: {{spot: {{max_share: 1.0}}}}
prices: {{sources: [{{name: snapshot}}], refresh_s: 900}}
changes: {{drain_s: 60, min_replan_gap_s: 30, load_settle_s: 30, launch_timeout_s: 600, ready_timeout_s: 600}}
launcher: {{name: local}}
safety: {{deadman_hours: {lease_h}}}
"""
LEASE_H = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What people edit."""

    budget: str = "16"
    surge: str = "8"
    floor: int = 1
    mode: str = "apply"


@dataclass(slots=True)
class Files:
    """The config files in a folder."""

    folder: Path
    wish: Wish = Wish()

    def write(self, wish: Wish) -> None:
        """Edit both hosts' files, each whole or not at all."""
        self.wish = wish
        for host in ("a", "b"):
            (self.folder / f"state-{host}").mkdir(exist_ok=True)
            text = _text(self.folder, host, wish)
            draft = self.folder / f".{host}.tmp"
            draft.write_text(text, encoding="utf-8")
            os.replace(draft, self.path(host))

    def path(self, host: str) -> Path:
        """The file of one host."""
        return self.folder / f"bouted-{host}.yaml"

    def load(self, host: str) -> Loaded:
        """What the file of this host says, as the daemon reads it."""
        loaded = _loaded(host, self.wish)
        fixed = loaded.config.model_copy(
            update={
                "state_dir": self.folder / f"state-{host}",
                "database": loaded.config.database.model_copy(
                    update={"url": f"sqlite:///{self.folder}/bouted.db"}
                ),
            }
        )
        return replace(loaded, path=self.path(host), config=fixed)


def _text(folder: Path, host: str, wish: Wish) -> str:
    return _TEXT.format(
        folder=folder,
        host=host,
        budget=wish.budget,
        surge=wish.surge,
        floor=wish.floor,
        mode=wish.mode,
        lease_h=LEASE_H,
    )


@cache
def _loaded(host: str, wish: Wish) -> Loaded:
    """Reading a config takes a tenth of a second; a start with the same text need not pay that again."""
    with tempfile.TemporaryDirectory() as name:
        files = Files(folder=Path(name))
        files.write(wish)
        return load(files.path(host))
