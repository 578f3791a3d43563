"""Scenario 8 on real SkyPilot: two TP1 become wider replicas, on new machines and by cutting one anew."""

from dataclasses import replace
from time import monotonic, sleep

from sky_load import Fate, SteadyLoad
from sky_stage import SMALL, SkyStage, Sold, stage

from bouted.board import Board
from bouted.testing.bench import Bench
from bouted.testing.ec2.cloud import StandInCloud

ONE_GPU = Sold(
    zone="us-east-1a", instance_type="g5.xlarge", gpu="A10G", market="on_demand", usd_per_hour="1.006"
)
FOUR_GPUS = Sold(
    zone="us-east-1a",
    instance_type="g5.12xlarge",
    gpu="A10G",
    gpus=4,
    market="on_demand",
    usd_per_hour="5.672",
)
TP1_IS_ENOUGH, NEEDS_TP2 = "tpot_p95_ms: 60", "tpot_p95_ms: 24"


def moved_rows(bench: Bench, cloud: StandInCloud) -> None:
    """New machines: what was cheap is no longer sold."""
    with stage(cloud, "moved") as it:
        it.furnish([ONE_GPU, FOUR_GPUS], models=SMALL.replace("}", ", min_replicas: 2}"))
        it.begin()
        it.serving_in()
        _moved(bench, it, "8: onto new machines", [FOUR_GPUS], SMALL, NEEDS_TP2)


def recut_rows(bench: Bench, cloud: StandInCloud) -> None:
    """The same machine, cut anew: there is no second one to be had."""
    with stage(cloud, "recut") as it:
        only = replace(FOUR_GPUS, obtainable=1)
        it.furnish([only], models=SMALL.replace("}", ", min_replicas: 4}"), latency=TP1_IS_ENOUGH)
        it.begin()
        it.serving_in()
        machines = {one.id for one in it.running()}
        _moved(bench, it, "8: cutting one machine anew", [only], SMALL, NEEDS_TP2)
        kept = machines & {one.id for one in it.running()}
        bench.row("8: cutting one machine anew: it is the same one", len(kept), "of 1", 1, "higher")


def _moved(bench: Bench, it: SkyStage, what: str, sold: list[Sold], models: str, latency: str) -> None:
    load = SteadyLoad(url=it.url, model="small")
    load.start()
    sleep(5)
    began = monotonic()
    before = it.until(lambda board: True, "a board")
    it.tell(f"before: {_layout(before)}")
    assert not _is_wide(before), "there is nothing to move"
    it.furnish(sold, models=models, latency=latency)
    it.until(_is_wide, "the new layout alone serves", 900)
    bench.row(f"{what}: the new layout alone serves", monotonic() - began, "s", None, "lower")
    sleep(5)
    load.stop()
    it.tell(f"after: {_layout(it.board())}; {dict(load.fates)} {load.why[:3]}")
    failed = load.fates[Fate.REFUSED] + load.fates[Fate.CUT]
    bench.row(f"{what}: requests that failed in a steady stream", failed, "", 0, "lower")
    bench.row(f"{what}: requests answered", load.fates[Fate.DONE], "", None, "higher")


def _is_wide(board: Board) -> bool:
    """Every replica lies on two GPUs or more, and serves."""
    wide = [r for r in board.replicas if " tp1" not in r.shape]
    return bool(wide) and len(wide) == len(board.replicas) and all(r.status == "ready" for r in wide)


def _layout(board: Board | None) -> list[str]:
    return [] if board is None else [f"{r.node} {r.shape} {r.status}" for r in board.replicas]
