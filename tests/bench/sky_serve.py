"""Scenarios on real SkyPilot in which all goes well: two models, six replicas, others' machines."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from time import monotonic, sleep

import httpx
from sky_stage import DEMAND_WEST, SMALL, SPOT_EAST, SkyStage, stage

from bouted.reconcile.names import node_name
from bouted.store.spend import spend_usd
from bouted.testing.bench import Bench
from bouted.testing.ec2.account import Rented
from bouted.testing.ec2.cloud import StandInCloud

TWO_MODELS = (
    "{name: small, spec: llama-3.1-8b, quality: 0.7, regions: [us-east-1]},"
    " {name: medium, spec: qwen2.5-14b, quality: 0.8, regions: [us-west-2]}"
)
PRICES = {("g5.xlarge", True): Decimal("0.402"), ("g6e.xlarge", False): Decimal("1.861")}
PRICES |= {("g5.xlarge", False): Decimal("1.006")}
SWEPT_S = 25.0  # two sweeps


def serving_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Scenario 1: two models, two regions, spot and on-demand, and a ledger that is the cloud's bill."""
    with stage(cloud, "one") as it:
        it.furnish([SPOT_EAST, DEMAND_WEST], models=TWO_MODELS)
        it.begin()
        bench.row(
            "1: from `bouted run` to two models in two regions ready", it.serving_in(), "s", None, "lower"
        )
        answered = sum(_answers(it, model) for model in ("small", "medium", "auto"))
        bench.row(
            "1: models that answer through the gateway (small, medium, auto)", answered, "of 3", 3, "higher"
        )
        status = it.cli("status").stdout
        told = sum(
            word in status for word in ("g5.xlarge", "g6e.xlarge", "OK", "1 of 1", "spot", "on-demand")
        )
        bench.row("1: words that `bouted status` must have", told, "of 6", 6, "higher")
        began = monotonic()
        it.cli("down", "--yes")
        bench.row("1: `bouted down`, two nodes", monotonic() - began, "s", None, "lower")
        sleep(SWEPT_S)
        bench.row("1: ledger against the cloud's running intervals", dollars_apart(it), "$ apart", 0, "lower")
        bench.row("1: instances left", len(it.running()), "", 0, "lower")


def scale_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Scenario 9: six replicas, each on a machine of its own."""
    with stage(cloud, "six") as it:
        it.furnish([SPOT_EAST], models=SMALL.replace("}", ", min_replicas: 6}"))
        it.begin()
        bench.row("9: six replicas on six machines ready", it.serving_in(900) / 60, "min", 8, "lower")
        bench.row("9: machines rented for that", len(it.rented()), "", 6, "lower")


def foreign_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Scenario 7: what others run in the account, with and without SkyPilot, is neither seen nor touched; not
    even where somebody calls a deployment the same."""
    namesake = node_name("own", "theirs", 1)
    theirs = [
        cloud.account.rent("g5.xlarge", "us-east-1a", tags={"Name": "theirs"}),
        cloud.account.rent(
            "g5.xlarge", "us-east-1a", tags={"bouted-deployment": "other", "bouted-node": "bt-other-1"}
        ),
        cloud.account.rent("m6i.large", "us-west-2a", tags={"skypilot-cluster-name": "mine-b0b0cafe"}),
        cloud.account.rent(
            "g5.xlarge",
            "us-east-1a",
            tags={
                "bouted-deployment": "own",
                "bouted-node": namesake,
                "ray-cluster-name": f"{namesake}-b0b0cafe",
            },
        ),
    ]
    with stage(cloud, "own") as it:
        it.furnish([SPOT_EAST])
        it.begin()
        it.serving_in()
        sleep(SWEPT_S)
        reap = it.cli("reap", "--dry-run").stdout
        named = sum(one.tags.get("bouted-node", one.id) in reap for one in theirs)
        it.cli("down", "--yes")
        left = {one.id for one in cloud.account.running()}
    touched = [one for one in theirs if one.id not in left]
    bench.row("7: foreign machines named by `bouted reap`", named, "of 4", 0, "lower")
    bench.row("7: foreign machines touched", len(touched), "of 4", 0, "lower")
    cloud.account.terminate(theirs)


def _answers(it: SkyStage, model: str) -> bool:
    asked = {"model": model, "prompt": "hi there", "max_tokens": 5}
    answer = httpx.post(f"{it.url}/v1/completions", json=asked, timeout=60, trust_env=False)
    return answer.status_code == httpx.codes.OK and answer.json()["usage"]["completion_tokens"] == 5


def dollars_apart(it: SkyStage) -> float:
    """Dollars between what the ledger has and what the cloud would bill: by the second, a minute at least."""
    now = datetime.now(UTC)
    store = it.read()
    try:
        spent = spend_usd(store, now - timedelta(days=1), now)
    finally:
        store.close()
    billed = sum((_billed(one) for one in it.rented()), Fraction(0))
    return round(float(abs(Fraction(spent) - billed)), 9)


def _billed(one: Rented) -> Fraction:
    assert one.ended_at is not None
    seconds = max(60, int((one.ended_at - one.launched_at).total_seconds()))
    return Fraction(PRICES[one.instance_type, one.spot]) * seconds / 3600
