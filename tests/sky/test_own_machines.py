"""Own machines, as the config names them, are places where an unmodified SkyPilot would start our task: a dry
run of each kind of GPU, in a Kubernetes cluster and in an SSH pool that stand-ins answer for."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.sky_home import SkyHome
from bouted.providers.sky_options import OWN, SkyOptions
from bouted.providers.sky_places import ZoneNames
from bouted.providers.sky_resources import SkyChoice, SkyNames, choice_of
from bouted.providers.sky_task import node_task

from bouted.market.offers import Market
from bouted.testing.deployment import free_port
from bouted.testing.fleet import an_offer
from bouted.testing.kube_api import kube_api

HERE = Path(__file__).parent
CATALOGS = HERE.parent / "unit" / "stored" / "sky_v8"
IMAGES = """Tag,Region,OS,OSVersion,ImageId,CreationDate
skypilot:custom-gpu-ubuntu-2204-v1,,ubuntu,22.04,docker:example/gpu,20250101
skypilot:custom-cpu-ubuntu-2204-v1,,ubuntu,22.04,docker:example/cpu,20250101
"""
# What NVIDIA's feature discovery calls the GPUs of `gpus.yaml` that people have in machines of their own.
PRODUCTS = {
    "A10": "NVIDIA-A10",
    "A100-40GB": "NVIDIA-A100-SXM4-40GB",
    "A100-40GB-PCIE": "NVIDIA-A100-PCIE-40GB",
    "A100-80GB": "NVIDIA-A100-SXM4-80GB",
    "A100-80GB-PCIE": "NVIDIA-A100-80GB-PCIe",
    "H100-80GB": "NVIDIA-H100-80GB-HBM3",
    "H100-PCIE": "NVIDIA-H100-PCIe",
    "H200": "NVIDIA-H200",
    "L4": "NVIDIA-L4",
    "L40S": "NVIDIA-L40S",
    "RTX4090": "NVIDIA-GeForce-RTX-4090",
    "RTX6000-ADA": "NVIDIA-RTX-6000-Ada-Generation",
    "T4": "Tesla-T4",
    "V100-16GB": "Tesla-V100-SXM2-16GB",
}
GPUS = 8


@dataclass
class Own:
    """Clusters with a node of one kind of GPU each, by the GPU's name, and a user who has access to them."""

    home: SkyHome
    user: Path

    def dry_run(self, kind: str, *asked: tuple[str, str]) -> list[dict[str, Any]]:
        """What SkyPilot makes of a node for each (GPU that is asked for, GPU of the place)."""
        infra = {gpu: f"{kind}/{gpu.lower()}" for gpu in PRODUCTS}
        options = SkyOptions.from_config(
            {"clouds": ["aws"], "infra": infra, "credentials_from": str(self.user)}
        )
        self.home.prepare(options.settings(), options.credentials_from)
        names = SkyNames(zones=ZoneNames(names={}), owned=options.infra)
        tasks = [_task(gpu, place, names) for gpu, place in asked]
        ran = subprocess.run(
            [sys.executable, HERE / "dry_run.py"],
            input=json.dumps({"cloud": OWN[kind], "tasks": tasks}),
            env=self.home.environment(),
            capture_output=True,
            text=True,
            timeout=600.0,
        )
        assert ran.returncode == 0, ran.stderr[-4000:]
        told = json.loads(ran.stdout.strip().splitlines()[-1])
        assert [cloud.lower() for clouds in told["enabled"].values() for cloud in clouds] == [OWN[kind]]
        found: list[dict[str, Any]] = told["tasks"]
        return found


def _task(gpu: str, place: str, names: SkyNames) -> dict[str, object]:
    offer = an_offer("owned", region="local", gpu=gpu, gpu_count=GPUS, market=Market.OWNED)
    choice = choice_of(replace(offer, instance_type=place), names)
    assert isinstance(choice, SkyChoice), choice
    task = node_task(f"n-{gpu.lower()}", choice, "dry", "token", gpus=GPUS, lease_s=3600.0, disk_gib=256)
    return dict(task.config)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    lacking = [name for name in ("socat", "nc") if shutil.which(name) is None]
    lacking += [name for name in ("kubernetes",) if find_spec(name) is None]
    if lacking:
        reason = f"missing: {', '.join(lacking)}"
        pytest.fail(reason) if os.environ.get("BOUTED_SKY_MUST") else pytest.skip(reason)
    state, user = tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("user")
    catalogs = state / ".sky" / "catalogs" / "v8"
    shutil.copytree(CATALOGS, catalogs)
    (catalogs / "kubernetes").mkdir()
    (catalogs / "kubernetes" / "images.csv").write_text(IMAGES)
    for name in (".kube", ".sky"):
        (user / name).mkdir()
    pool = {"user": "ops", "identity_file": "~/.ssh/id_ed25519", "hosts": ["127.0.0.1"]}
    pools = {gpu.lower(): pool for gpu in PRODUCTS}
    (user / ".sky" / "ssh_node_pools.yaml").write_text(json.dumps(pools))
    with kube_api({gpu.lower(): product for gpu, product in PRODUCTS.items()}, GPUS) as api:
        (user / ".kube" / "config").write_text(api.kubeconfig("ssh-"))
        yield Own(home=SkyHome(folder=state, port=free_port()), user=user)
    assert api.made == [], "a dry run makes nothing"


@pytest.mark.parametrize("kind", OWN)
def test_each_kind_of_gpu_is_found_where_it_is(own: Own, kind: str) -> None:
    found = own.dry_run(kind, *((gpu, gpu) for gpu in PRODUCTS))
    assert [told.get("infra", told) for told in found] == [f"{OWN[kind]}/{gpu.lower()}" for gpu in PRODUCTS]
    assert all(sum(told["gpus"].values()) == GPUS for told in found)


@pytest.mark.parametrize("kind", OWN)
def test_a_place_that_has_another_gpu_is_refused(own: Own, kind: str) -> None:
    asked = (("H200", "L4"), ("A100-80GB", "A100-40GB"), ("L40S", "L4"))
    for told in own.dry_run(kind, *asked):
        assert told["error"].startswith("ResourcesUnavailableError"), told
