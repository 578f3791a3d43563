"""Moves on real SkyPilot under load: to another layout, on new machines or the same; to another version."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic, sleep

from sky_load import Fate, SteadyLoad
from sky_stage import PACED, SMALL, SkyStage, Sold, stage

from bouted.board import Board, BoardReplica
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
        it.furnish([ONE_GPU, FOUR_GPUS], models=at_least(2))
        it.begin()
        it.serving_in()
        _moved(bench, it, "8: onto new machines", [FOUR_GPUS], SMALL, NEEDS_TP2)


def recut_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Of two full machines, all there are, one is cut anew while the other serves, and then does alone."""
    what = "8: cutting one machine anew"
    with stage(cloud, "recut") as it:
        only = [replace(FOUR_GPUS, obtainable=2)]
        it.furnish(only, models=at_least(8), latency=TP1_IS_ENOUGH)
        it.begin()
        it.serving_in()
        machines = {one.id for one in it.running()}
        with steady(bench, it, what):
            began = monotonic()
            it.furnish(only, models=at_least(4), latency=NEEDS_TP2)
            it.until(lambda board: bool(_wide(board)), "something wide serves", 900)
            bench.row(f"{what}: it serves anew", monotonic() - began, "s", None, "lower")
            it.furnish(only, models=at_least(1), latency=NEEDS_TP2)
            it.until(_is_wide, "the new layout alone serves", 900)
            bench.row(f"{what}: the new layout alone serves", monotonic() - began, "s", None, "lower")
        kept = machines & {one.id for one in it.running()}
        bench.row(f"{what}: machines rented in all", len(it.rented()), "", 2, "lower")
        bench.row(f"{what}: of them still rented", len(kept), "", 1, "higher")


def upgraded_rows(bench: Bench, cloud: StandInCloud) -> None:
    """Another version of the engine: in place where others serve, beside the old one where it is needed."""
    _upgraded(bench, cloud, "three replicas, one needed", 3, rate=50.0, further=0)
    _upgraded(bench, cloud, "the only replica", 1, rate=1.0, further=1)


def _upgraded(bench: Bench, cloud: StandInCloud, what: str, count: int, *, rate: float, further: int) -> None:
    what, name = f"upgrade of {what}", f"upgraded{count}"
    with stage(cloud, name) as it:
        it.furnish([ONE_GPU], rate=rate, latency=TP1_IS_ENOUGH, engine={**PACED, "version": "0.32.0"})
        it.start("gateway")
        daemon = it.start("run")
        it.until(lambda board: _all_run(board, count, "vllm 0.32.0"), f"{count} replicas serve", 480)
        rented = len(it.rented())
        with steady(bench, it, what):
            began = monotonic()
            it.furnish([ONE_GPU], rate=rate, latency=TP1_IS_ENOUGH, engine={**PACED, "version": "0.32.1"})
            daemon.terminate()
            daemon.wait(60)
            it.start("run")
            it.until(lambda board: _all_run(board, count, "vllm 0.32.1"), "the new alone serve", 900)
            bench.row(f"{what}: the new version alone serves", monotonic() - began, "s", None, "lower")
        bench.row(f"{what}: further machines rented", len(it.rented()) - rented, "", further, "lower")


def at_least(count: int) -> str:
    """The small model, with so many replicas."""
    return SMALL.replace("}", f", min_replicas: {count}}}")


def _moved(bench: Bench, it: SkyStage, what: str, sold: list[Sold], models: str, latency: str) -> None:
    with steady(bench, it, what):
        began = monotonic()
        assert not _is_wide(it.until(lambda board: True, "a board")), "there is nothing to move"
        it.furnish(sold, models=models, latency=latency)
        it.until(_is_wide, "the new layout alone serves", 900)
        bench.row(f"{what}: the new layout alone serves", monotonic() - began, "s", None, "lower")


@contextmanager
def steady(bench: Bench, it: SkyStage, what: str) -> Iterator[None]:
    """A steady stream of requests before, during and after; none of them may fail."""
    load = SteadyLoad(url=it.url, model="small")
    load.start()
    sleep(5)
    it.tell(f"before: {_layout(it.board())}")
    yield
    sleep(5)
    load.stop()
    it.tell(f"after: {_layout(it.board())}; {dict(load.fates)} {load.why[:3]}")
    failed = load.fates[Fate.REFUSED] + load.fates[Fate.CUT]
    bench.row(f"{what}: requests that failed in a steady stream", failed, "", 0, "lower")
    bench.row(f"{what}: requests answered", load.fates[Fate.DONE], "", None, "higher")


def _wide(board: Board) -> list[BoardReplica]:
    """The replicas that lie on two GPUs or more, and serve."""
    return [r for r in board.replicas if " tp1" not in r.shape and r.status == "ready"]


def _is_wide(board: Board) -> bool:
    """Every replica does."""
    return bool(board.replicas) and len(_wide(board)) == len(board.replicas)


def _all_run(board: Board, count: int, version: str) -> bool:
    """So many replicas, each on a machine of its own, and all of this version."""
    whole = len(board.nodes) == len(board.replicas) == count
    return whole and all(r.status == "ready" and r.version == version for r in board.replicas)


def _layout(board: Board | None) -> list[str]:
    return [] if board is None else [f"{r.node} {r.shape} {r.status}" for r in board.replicas]
