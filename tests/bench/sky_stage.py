"""A deployment on real SkyPilot at the stand-in cloud: real daemon, real gateway, machines with real sshd."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from bouted.providers.proc_marked import Family
from bouted.providers.sky_home import WORKER
from bouted.providers.sky_task import DEPLOYMENT_LABEL, NODE_LABEL

from bouted.store.open import Store, open_store
from bouted.testing.deployment import Deployment
from bouted.testing.ec2.account import VPC, Rented
from bouted.testing.ec2.cloud import StandInCloud
from bouted.testing.ec2.needs import SHELL_PATH

ROOT = Path(__file__).resolve().parents[2]
VENV, PACKAGE = Path("/opt/bouted-venv"), Path("/opt/bouted")
PACED: Mapping[str, object] = {
    "program": [
        "env", f"PYTHONPATH={PACKAGE}", f"{VENV}/bin/python", "-P", "-m", "bouted.providers.paced_engine",
    ]
}  # fmt: skip
CONFIG = """\
version: 1
deployment: {deployment}
mode: apply
state_dir: state
budget: {{usd_per_hour: {budget}, surge_usd_per_hour: {budget}}}
targets: {{{latency}, quality_min: 0.1}}
workload: {{rate_per_s: {rate}, prompt_tokens: 50, output_tokens: 20, window_s: 600}}
models: [{models}]
routing: {{}}
supply: {{spot: {{max_share: 1.0}}}}
prices: {{sources: [{{name: file, path: prices.csv}}], refresh_s: 2}}
changes:
  drain_s: 10
  min_replan_gap_s: 5
  load_settle_s: 3600
  launch_timeout_s: {launch_timeout_s}
  max_launches: 6
  max_stop_pct: 100
  rollout: {{canary_s: 0, soak_s: 2}}
planner: {{sweep: 16, evaluations: 2, deadline_s: 20}}
launcher:
  name: skypilot
  options:
    port: {port}
    clouds: [aws]
    sky: {{aws: {{vpc_name: {vpc}, use_internal_ips: true, use_ssm: false}}}}
    engines:
      vllm: {engine}
safety: {{deadman_hours: {deadman_h}, sweep_s: 10, orphan_grace_s: 60}}
listen: {{gateway_port: {gateway_port}}}
"""
HEAD = "provider,region,zone,instance_type,gpu,gpu_count,market,usd_per_hour,obtainable,hazard_per_hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """What the cloud sells: one line of the price file."""

    zone: str
    instance_type: str
    gpu: str
    market: str
    usd_per_hour: str
    gpus: int = 1
    obtainable: int = 8

    def line(self) -> str:
        """As the price file has it."""
        region = self.zone[:-1]
        return (
            f"aws,{region},{self.zone},{self.instance_type},{self.gpu},{self.gpus},{self.market},"
            f"{self.usd_per_hour},{self.obtainable},0.001"
        )


SPOT_EAST = Sold(
    zone="us-east-1a", instance_type="g5.xlarge", gpu="A10G", market="spot", usd_per_hour="0.402"
)
DEMAND_WEST = Sold(
    zone="us-west-2a", instance_type="g6e.xlarge", gpu="L40S", market="on_demand", usd_per_hour="1.861"
)
SMALL = "{name: small, spec: llama-3.1-8b, quality: 0.7}"


@dataclass(slots=True)
class SkyStage(Deployment):
    """`Deployment`, with the launcher set to SkyPilot."""

    cloud: StandInCloud | None = None
    name: str = "s"
    began: float = field(default_factory=monotonic)

    def furnish(
        self,
        sold: Iterable[Sold],
        *,
        models: str = SMALL,
        rate: float = 1.0,
        deadman_h: float | str = 12,
        budget: str = "30",
        latency: str = "e2e_p95_s: 60",
        launch_timeout_s: int = 600,
        engine: Mapping[str, object] = PACED,
    ) -> None:
        """Write the config and the prices; a daemon that runs takes them up."""
        assert self.cloud is not None
        text = CONFIG.format(
            deployment=self.name,
            budget=budget,
            latency=latency,
            rate=rate,
            models=models,
            port=self.cloud.home.api_port,
            vpc=VPC,
            deadman_h=deadman_h,
            gateway_port=self.port,
            launch_timeout_s=launch_timeout_s,
            engine=json.dumps(engine),
        )
        self.config_path.write_text(text, encoding="utf-8")
        self.sell(sold)
        catalogs = self.sky_home / ".sky" / "catalogs"
        if not catalogs.exists():
            shutil.copytree(self.cloud.home.folder / ".sky" / "catalogs", catalogs)

    def sell(self, sold: Iterable[Sold]) -> None:
        """Set what is for sale."""
        lines = [HEAD, *(one.line() for one in sold)]
        draft = self.folder / "prices.new"
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
        draft.replace(self.folder / "prices.csv")

    @property
    def sky_home(self) -> Path:
        """SkyPilot's HOME."""
        return self.state_dir / "sky" / "home"

    def env(self) -> Mapping[str, str]:
        """The stand-in's credentials, and nothing of another deployment."""
        assert self.cloud is not None
        passed = {name: os.environ[name] for name in ("PYTHONPATH", "PYTHONSAFEPATH") if name in os.environ}
        return passed | {
            "HOME": str(self.cloud.home.folder),
            "PATH": f"{Path(sys.executable).parent}:{SHELL_PATH}",
            "LANG": "C.UTF-8",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.0/8,localhost",
            "NUMBA_CACHE_DIR": str(ROOT / "build" / "numba"),
        }

    def tell(self, what: str) -> None:
        """A line on how far the bench is."""
        print(f"[{monotonic() - self.began:5.0f} s] {self.name}: {what}", flush=True)

    def begin(self) -> None:
        """Daemon and gateway."""
        self.start("run")
        self.start("gateway")

    def serving_in(self, within_s: float = 480) -> float:
        """Seconds until every replica of the plan serves."""
        began = monotonic()
        self.until_serving(within_s)
        took_s = monotonic() - began
        self.tell(f"serving after {took_s:.0f} s")
        return took_s

    def rented(self, node: str = "") -> list[Rented]:
        """The instances of this deployment, by the cloud's own word."""
        assert self.cloud is not None
        mine = self.cloud.account.instances(**{DEPLOYMENT_LABEL: self.name})
        return [one for one in mine if not node or one.tags[NODE_LABEL] == node]

    def running(self) -> list[Rented]:
        """Those that are being paid for."""
        return [one for one in self.rented() if one.running]

    @property
    def server(self) -> Family:
        """SkyPilot's processes here, but for the daemon's own worker."""
        return Family(mark=f"SKY_RUNTIME_DIR={self.sky_home}", folder=self.sky_home, spare=WORKER)

    def kill_server(self) -> int:
        """Kill -9 the API server and all it started; how many."""
        living = self.server.living()
        self.server.end()
        return len(living)

    def leave(self) -> None:
        """Stop the fleet and every process of this stage; what the cloud still runs of it is ended there."""
        assert self.cloud is not None
        try:
            self.close()
        finally:
            self.server.end()
            left = self.running()
            self.cloud.account.terminate(left)
        if left:
            self.tell(f"LEFT RUNNING: {[one.tags[NODE_LABEL] for one in left]}")

    def read(self) -> Store:
        """The store, to look into."""
        return open_store(f"sqlite:///{self.state_dir / 'bouted.db'}")


@contextmanager
def stage(cloud: StandInCloud, name: str) -> Iterator[SkyStage]:
    """A stage that is left clean. Its folder stays when something went wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"bouted-sky-{name}-"))
    made = SkyStage(folder, cloud=cloud, name=name)
    try:
        yield made
    except BaseException:
        made.leave()
        made.tell(f"FAILED; see {folder}")
        raise
    made.leave()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_cloud(also: Iterable[tuple[Path, Path]] = ()) -> Iterator[StandInCloud]:
    """The stand-in cloud, with this package, its environment and what is shared `also` on every machine."""
    package = Path(tempfile.mkdtemp(prefix="bouted-package-"))
    package.chmod(0o755)
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "bouted", package / "bouted", ignore=leave)
    for part in ("providers", "policies", "migrations"):
        shutil.copytree(ROOT / part, package / "bouted" / part, ignore=leave)
    shared = [(ROOT / ".venv", VENV), (package, PACKAGE), *also]
    try:
        with StandInCloud(image=ROOT / "build" / "sky" / "image", shared=shared, hidden=[ROOT]) as cloud:
            yield cloud
    finally:
        shutil.rmtree(package, ignore_errors=True)
