"""Which SkyPilot resources an offer becomes; SkyPilot's own code is asked whether they are the same."""

import ast
import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from bouted.providers.sky_images import Images, read_images
from bouted.providers.sky_places import ZoneNames, runpod_place
from bouted.providers.sky_resources import SkyChoice, SkyNames, choice_of, resources_config
from bouted.providers.sky_types import RUNPOD, NotLaunchable
from bouted.providers.sky_types_vast import read_machines
from bouted.providers.skygcp import FIXED
from hypothesis import given
from hypothesis import strategies as st

from bouted.market.offers import Confidence, Market, Offer

CATALOGS = Path(__file__).parent / "stored" / "sky_v8"
ASK = Path(__file__).parents[1] / "sky" / "ask_catalog.py"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MARKETS = {"od": Market.ON_DEMAND, "spot": Market.SPOT, "own": Market.OWNED}


def rows(file: str) -> list[dict[str, str]]:
    with (CATALOGS / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


NAMES = SkyNames(
    zones=ZoneNames(
        names={
            row["AvailabilityZone"]: row["AvailabilityZoneName"]
            for row in rows("aws/az_mappings-default.csv")
        }
    ),
    owned={"rack": "ssh/rack1", "pods": "k8s/arn:aws:eks:us-east-1:1:cluster/gpu"},
    vast=read_machines(rows("vast/vms.csv")),
)


def offer(text: str) -> Offer:
    """An offer as `provider;region;zone;type;gpu;count;market;price`."""
    provider, region, zone, instance_type, gpu, count, market, price = text.split(";")
    return Offer(
        provider=provider,
        region=region,
        zone=zone,
        instance_type=instance_type,
        gpu=gpu,
        gpu_count=int(count),
        market=MARKETS[market],
        usd_per_hour=Decimal(price),
        obtainable=1,
        hazard_per_hour=0.0,
        source="test",
        observed_at=NOW,
        confidence=Confidence.HIGH,
    )


# An offer, the infra that rents it, and SkyPilot's name for its type where that is another.
LAUNCHED = {
    "aws;us-east-1;use1-az6;g6.4xlarge;L4;1;spot;0.6785": "aws/us-east-1/us-east-1a",
    "aws;us-east-1;use1-az1;g6.4xlarge;L4;1;spot;0.6637": "aws/us-east-1/us-east-1b",
    "aws;us-east-1;us-east-1c;g6.4xlarge;L4;1;spot;0.6855": "aws/us-east-1/us-east-1c",
    "aws;us-east-2;use2-az3;g6.4xlarge;L4;1;spot;0.5281": "aws/us-east-2/us-east-2c",
    "aws;us-east-1;;g6.4xlarge;L4;1;od;1.3232": "aws/us-east-1",
    "aws;us-east-2;;p5.48xlarge;H100-80GB;8;spot;11.99": "aws/us-east-2",
    "aws;us-east-2;;p4d.24xlarge;A100-40GB;8;own;21.95764": "aws/us-east-2",
    "gcp;us-central1;;a2-highgpu-1g;A100-40GB;1;od;3.673385": "gcp/us-central1",
    "gcp;us-central1;us-central1-b;a2-highgpu-1g;A100-40GB;1;spot;1.442955": "gcp/us-central1/us-central1-b",
    "gcp;us-central1;;g2-standard-4;L4;1;spot;0.281836": "gcp/us-central1",
    "gcp;us-east4;us-east4-a;a3-highgpu-8g;H100-80GB;8;od;88.555756": "gcp/us-east4/us-east4-a",
    "gcp;us-central1;us-central1-a;n1-standard-8;T4;1;od;0.729998": "gcp/us-central1/us-central1-a + T4:1",
    "gcp;us-central1;us-central1-a;n1-standard-8;T4;2;spot;0.36": "gcp/us-central1/us-central1-a + T4:2",
    "azure;westus2;;Standard_NC4as_T4_v3;T4;1;od;0.526": "azure/westus2",
    "azure;eastus;;Standard_NV36ads_A10_v5;A10;1;spot;0.59136": "azure/eastus",
    "azure;eastus;;Standard_NC24ads_A100_v4;A100-80GB-PCIE;1;spot;0.67877": "azure/eastus",
    "azure;westus3;;Standard_NC24ads_A100_v4;A100-80GB-PCIE;1;od;3.673": "azure/westus3",
    "azure;eastus;;Standard_ND96isr_H100_v5;H100-80GB;8;od;98.32": "azure/eastus",
    "lambda;us-east-1;;gpu_1x_a10;A10;1;od;1.29": "lambda/us-east-1",
    "lambda;any;;gpu_1x_a10;A10;1;od;1.29": "lambda",
    "lambda;us-east-1;;gpu_1x_h100_sxm5;H100-80GB;1;od;4.29": "lambda/us-east-1",
    "lambda;us-east-1;;gpu_8x_h100_sxm5;H100-80GB;8;od;31.92": "lambda/us-east-1",
    "lambda;us-east-1;;gpu_1x_a6000;A6000;1;od;1.09": "lambda/us-east-1",
    "runpod;US;;1x_A100_80GB_PCIe;A100-80GB-PCIE;1;od;1.39": "runpod/US 1x_A100-80GB_SECURE",
    "runpod;CA-MTL-1;;1x_A100_80GB_PCIe;A100-80GB-PCIE;1;od;1.39": "runpod/CA/CA-MTL-1 1x_A100-80GB_SECURE",
    "runpod;IS;EUR-IS-1;1x_A100-80GB_SECURE;A100-80GB;1;od;1.39": "runpod/IS/EUR-IS-1",
    "runpod;US;;1x_H100_SXM;H100-80GB;1;od;3.29": "runpod/US 1x_H100-SXM_SECURE",
    "runpod;US;;1x_H100_80GB_HBM3;H100-80GB;1;od;3.29": "runpod/US 1x_H100-SXM_SECURE",
    "runpod;US;;2x_RTX_5090;RTX5090;2;od;1.98": "runpod/US 2x_RTX5090_SECURE",
    "runpod;US;;4x_A40;A40;4;od;1.76": "runpod/US 4x_A40_SECURE",
    "vast;SE;;1x_RTX_4090;RTX4090;1;od;0.40": "vast/Sweden, SE, EU 1x-RTX_4090-32-65536",
    "vast;US;;1x_RTX_4090;RTX4090;1;od;0.40": "vast/, US, NA 1x-RTX_4090-32-65536",
    "vast;Sweden, SE, EU;;1x-RTX_4090-32-131072;RTX4090;1;od;0.52": "vast/Sweden, SE, EU",
    "vast;FR;;8x_H200;H200;8;od;20.71": "vast/France, FR, EU 8x-H200-32-65536",
    "vast;JP;;4x_L40S;L40S;4;od;2.40": "vast/Japan, JP, AS 4x-L40S-32-65536",
}

# An offer that no resources rent, and why.
REFUSED = {
    "aws;us-east-1;use1-az3;g6.4xlarge;L4;1;spot;0.66": "this AWS account has no zone use1-az3",
    "aws;eu-west-2;euw2-az1;p5.48xlarge;H100-80GB;8;spot;16.3": (
        "this AWS account's name for zone euw2-az1 is not known"
    ),
    "gcp;us-east4;;a3-edgegpu-8g;H100-80GB;8;od;90": "SkyPilot knows no 8 x H100-80GB in a3-edgegpu-8g",
    "gcp;us-central1;;n1-standard-8;T4;3;od;1.4": "SkyPilot knows no 3 x T4 in n1-standard-8",
    "gcp;us-central1;;n2-standard-8;T4;1;od;1.4": "SkyPilot knows no 1 x T4 in n2-standard-8",
    "azure;eastus;1;Standard_NC4as_T4_v3;T4;1;od;0.5": "SkyPilot takes no zone on azure",
    "azure;westus3;;Standard_ND96isr_MI300X_v5;MI300X;8;od;48": (
        "SkyPilot's image on Azure has NVIDIA's driver alone"
    ),
    "azure;eastus2;;Standard_NCC40ads_H100_v5;H100-NVL;1;od;7": (
        "SkyPilot makes no confidential machines on Azure"
    ),
    "lambda;us-east-1;;gpu_1x_a10;A10;1;spot;0.5": "Lambda has no spot market",
    "runpod;US;;4x_A40;A40;4;spot;0.8": "on RunPod SkyPilot bids its own catalog's price, not this one",
    "runpod;US;;1x_RTX_3090_Ti;RTX-3090-Ti;1;od;0.3": "SkyPilot launches no 1x_RTX_3090_Ti on RunPod",
    "runpod;US;;1x_A40_COMMUNITY;A40;1;od;0.3": "SkyPilot launches no 1x_A40_COMMUNITY on RunPod",
    "runpod;US;;2x_A40;A40;4;od;0.3": "2x_A40 has not 4 GPUs",
    "runpod;MARS;;4x_A40;A40;4;od;1.76": "SkyPilot knows no MARS on RunPod",
    "vast;SE;;1x_RTX_4090;RTX4090;1;spot;0.1": "on Vast SkyPilot bids 0, which nobody takes",
    "vast;DE;;1x_RTX_4090;RTX4090;1;od;0.40": "SkyPilot lists no 1x_RTX_4090 in DE on Vast",
    "vast;US;;1x_A100_80GB_PCIe;A100-80GB-PCIE;1;od;0.87": (
        "SkyPilot cannot ask Vast for the GPU memory in A100_80GB_PCIe"
    ),
    "vast;US;;31415926;RTX4090;1;od;0.4": "SkyPilot lists no 31415926 on Vast",
    "owned;local;;spare;H100-80GB;8;own;0": "own machine: give spare an infra, like ssh/POOL or k8s/CONTEXT",
    "gcp;*;;g2-standard-4;L4;1;od;0.7": "'*', zone '', is no place",
    "aws;;;g6.4xlarge;L4;1;od;1.3": "'', zone '', is no place",
    "nebius;eu-north1;;gpu-h200-sxm;H200;8;od;28": "no way to rent at nebius yet",
}


@pytest.mark.parametrize(("text", "expected"), LAUNCHED.items())
def test_an_offer_becomes_one_place_one_type_and_one_market(text: str, expected: str) -> None:
    wanted = offer(text)
    infra, _, accelerators = expected.partition(" + ")
    instance_type = wanted.instance_type
    if infra.endswith("_SECURE") or "x-" in infra:
        infra, _, instance_type = infra.rpartition(" ")
    assert choice_of(wanted, NAMES) == SkyChoice(
        infra=infra,
        instance_type=instance_type,
        use_spot=wanted.market is Market.SPOT,
        accelerators=accelerators,
    )


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_an_offer_that_cannot_be_had_says_why_in_a_line(text: str, reason: str) -> None:
    assert choice_of(offer(text), NAMES) == NotLaunchable(reason=reason)


TEXTS = st.text(st.sampled_from("uU-_/*1xA 4.,é\n"), max_size=12)


@given(
    provider=st.sampled_from([*sorted({text.partition(";")[0] for text in REFUSED}), "x"]),
    places=st.tuples(TEXTS, TEXTS),
    instance_type=TEXTS | st.sampled_from(["1x_A40", "a2-highgpu-1g", "1x-RTX_4090-32-65536"]),
    market=st.sampled_from(Market),
)
def test_whatever_a_price_file_says_the_choice_is_pinned_or_refused(
    provider: str, places: tuple[str, str], instance_type: str, market: Market
) -> None:
    region, zone = places
    odd = replace(
        offer("x;r;;t;A40;1;od;1"),
        provider=provider,
        region=region,
        zone=zone,
        instance_type=instance_type,
        market=market,
    )
    found = choice_of(odd, NAMES)
    if isinstance(found, SkyChoice):
        cloud, *parts = found.infra.split("/")
        assert cloud == provider
        assert len(parts) in ((1, 2) if region != "any" else (0,))
        assert all(part == part.strip() and part not in ("", "*") for part in parts)


def test_nothing_of_vast_is_launched_while_skypilots_search_there_does_not_hold() -> None:
    machine = offer("vast;SE;;1x_RTX_4090;RTX4090;1;od;0.40")
    reason = "SkyPilot 0.14.1 loses its search on Vast and would rent any machine"
    assert choice_of(machine, replace(NAMES, vast=None)) == NotLaunchable(reason=reason)


@dataclass(frozen=True)
class Sky:
    """SkyPilot's answers, by the text of the offer that the resources are for."""

    answers: Mapping[str, Mapping[str, Any]]


OWNED = {
    "owned;local;;rack;H100-80GB;8;own;0": {
        "cloud": "ssh",
        "region": "ssh-rack1",
        "accelerators": {"H100": 8},
        "images": [],
    },
    "owned;local;;pods;A100-40GB;4;own;0": {
        "cloud": "kubernetes",
        "region": "arn:aws:eks:us-east-1:1:cluster/gpu",
        "accelerators": {"A100": 4},
        "images": [],
    },
}

AMI, GCP_IMAGE = "ami-0729d913a335efca7", "projects/deeplearning/global/images/vllm-1"
VLLM = "docker:vllm/vllm-openai:v0.32.0"
# An offer that boots an image of its own, as a config names that; SkyPilot takes it for this one.
IMAGED: dict[str, tuple[str, object]] = {
    "aws;us-east-1;us-east-1c;g6.4xlarge;L4;1;spot;0.6855": (AMI, {"aws": {"us-east-1": AMI}}),
    "aws;us-east-2;use2-az3;g6.4xlarge;L4;1;spot;0.5281": (AMI, {"aws": AMI}),
    "gcp;us-central1;us-central1-a;n1-standard-8;T4;1;od;0.729998": (GCP_IMAGE, {"gcp": GCP_IMAGE}),
    "gcp;us-central1;;g2-standard-4;L4;1;spot;0.281836": (VLLM, VLLM),
    "lambda;any;;gpu_1x_a10;A10;1;od;1.29": (VLLM, VLLM),
    "runpod;US;;4x_A40;A40;4;od;1.76": (VLLM, {"runpod": {"US": VLLM}}),
    "owned;local;;pods;A100-40GB;4;own;0": (VLLM, {"k8s": VLLM.removeprefix("docker:")}),
}


def with_images(said: object) -> SkyNames:
    named, problems = read_images(said, "image")
    assert problems == ()
    return replace(NAMES, images=Images(named=named))


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Sky:
    """SkyPilot with the small catalogs, no credentials and no network, asked about all at once."""
    home = tmp_path_factory.mktemp("home")
    copytree(CATALOGS, home / ".sky" / "catalogs" / "v8")
    texts = [*LAUNCHED, *OWNED, *(f"{text} with an image" for text in IMAGED)]
    choices = [choice_of(offer(text), NAMES) for text in (*LAUNCHED, *OWNED)]
    choices += [choice_of(offer(text), with_images(said)) for text, (_, said) in IMAGED.items()]
    configs = [resources_config(one, {"bouted": "t"}) for one in choices if isinstance(one, SkyChoice)]
    assert len(configs) == len(texts)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_EC2_METADATA_DISABLED": "true",
        "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
    }
    ran = subprocess.run(
        [sys.executable, str(ASK)],
        input=json.dumps(configs),
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return Sky(answers=dict(zip(texts, json.loads(ran.stdout), strict=True)))


@pytest.mark.parametrize("text", LAUNCHED)
def test_skypilot_prices_the_choice_as_the_offer_does(sky: Sky, text: str) -> None:
    answer = sky.answers[text]
    assert "error" not in answer, answer
    assert answer["usd_per_hour"] == pytest.approx(float(offer(text).usd_per_hour), abs=1e-9)


@pytest.mark.parametrize("text", LAUNCHED)
def test_skypilot_tries_the_choice_where_the_offer_is_and_nowhere_else(sky: Sky, text: str) -> None:
    answer, choice = sky.answers[text], choice_of(offer(text), NAMES)
    assert isinstance(choice, SkyChoice)
    _, _, place = choice.infra.partition("/")
    assert (answer["instance_type"], answer["use_spot"]) == (choice.instance_type, choice.use_spot)
    assert "/".join(filter(None, (answer["region"], answer["zone"]))) == place
    if answer["zone"]:
        assert answer["places"] == [place]
    elif place:
        assert answer["regions"] == [place]


@pytest.mark.parametrize("text", LAUNCHED)
def test_skypilot_counts_as_many_gpus_in_it(sky: Sky, text: str) -> None:
    (count,) = sky.answers[text]["accelerators"].values()
    assert count == offer(text).gpu_count


@pytest.mark.parametrize(("text", "understood"), OWNED.items())
def test_skypilot_reads_the_infra_of_own_machines(
    sky: Sky, text: str, understood: Mapping[str, object]
) -> None:
    assert sky.answers[text] == understood


@pytest.mark.parametrize(("text", "image"), [(text, image) for text, (image, _) in IMAGED.items()])
def test_skypilot_boots_the_image_that_is_named_for_the_place(sky: Sky, text: str, image: str) -> None:
    answer = sky.answers[f"{text} with an image"]
    assert "error" not in answer, answer
    assert answer["images"] == [image]
    if "container" in answer:
        assert (answer["container"] or "") == (image.removeprefix("docker:") if image == VLLM else "")


def of_skypilot(file: str, name: str) -> Any:
    """A constant of SkyPilot's, read from its source: what the module imports need not be there."""
    spec = find_spec("sky")
    assert spec is not None
    assert spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0], file).read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if value is not None and any(isinstance(one, ast.Name) and one.id == name for one in targets):
            return ast.literal_eval(value)
    raise AssertionError(f"{file} has no {name}")


def test_every_gpu_launched_on_runpod_is_one_that_skypilots_launch_knows_by_that_name() -> None:
    ids = of_skypilot("provision/runpod/utils.py", "GPU_NAME_MAP")
    for name, shown in RUNPOD.items():
        assert name in ids
        bare = ids[name].removeprefix("NVIDIA ").removeprefix("AMD ")
        assert bare in shown, f"{name}: RunPod's own id {bare} is not among {shown}"


def test_runpods_data_centres_are_in_the_countries_that_skypilot_says() -> None:
    zones = of_skypilot("catalog/data_fetchers/fetch_runpod.py", "REGION_ZONES")
    pod = offer("runpod;US;;4x_A40;A40;4;od;1.76")
    for country, centres in zones.items():
        assert runpod_place(replace(pod, region=country)) == country
        for centre in centres:
            assert runpod_place(replace(pod, region=country, zone=centre)) == f"{country}/{centre}"
            assert runpod_place(replace(pod, region=centre)) == f"{country}/{centre}"


def test_gcps_types_bring_the_gpus_that_skypilot_says() -> None:
    brought = of_skypilot("catalog/gcp_catalog.py", "_ACC_INSTANCE_TYPE_DICTS")
    said = {
        instance_type: (gpu, count)
        for gpu, counts in brought.items()
        for count, types in counts.items()
        for instance_type in types
    }
    assert said == FIXED
