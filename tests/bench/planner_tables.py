"""Profile tables of the scenarios, kept under build/bench/cache between runs of the bench."""

from collections.abc import Sequence
from pathlib import Path

import bouted.perf
from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.codec import content_hash, dump, parse
from bouted.perf.build import build_profiles
from bouted.perf.loads import USUAL, Detail
from bouted.perf.profile import ProfileTable
from bouted.perf.shapes import Engine
from bouted.planner.layouts import ModelWanted, Pair, layouts_of
from bouted.workload.profile import RequestLength

CACHE = Path("build/bench/cache")
CONTEXT_TOKENS = 4096
SEED = 1


def profile_table(
    models: Sequence[str], gpus: Sequence[str], lengths: tuple[RequestLength, ...], precision: Precision
) -> ProfileTable:
    """Every layout of the models on the GPU types, profiled by bouted's own performance model."""
    return cached_profiles(_shapes(models, gpus, lengths, precision), lengths, USUAL)


def cached_profiles(
    shapes: tuple[Pair, ...], lengths: tuple[RequestLength, ...], detail: Detail
) -> ProfileTable:
    """Profiles of these layouts for Poisson arrivals of these lengths.

    Kept by a hash of the step costs, the lengths and the code that simulates them.
    """
    said = dump(tuple[Pair, ...], shapes) + dump(tuple[RequestLength, ...], lengths) + _sources()
    said += dump(Detail, detail)
    path = CACHE / f"profiles-{content_hash(said)}.json"
    if path.exists():
        return parse(ProfileTable, path.read_bytes())
    table = build_profiles(shapes, lengths, 1.0, SEED, detail=detail)
    CACHE.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dump(ProfileTable, table))
    return table


def _shapes(
    models: Sequence[str], gpus: Sequence[str], lengths: tuple[RequestLength, ...], precision: Precision
) -> tuple[Pair, ...]:
    catalog = load_catalog()
    wanted = tuple(
        ModelWanted(
            name=name,
            spec=catalog.model(name),
            precision=precision,
            engine=Engine.VLLM,
            context_tokens=CONTEXT_TOKENS,
        )
        for name in models
    )
    return layouts_of(wanted, tuple(catalog.gpu(gpu) for gpu in gpus), lengths, ()).shapes


def _sources() -> bytes:
    folder = Path(bouted.perf.__file__).parent
    return content_hash(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).encode()
