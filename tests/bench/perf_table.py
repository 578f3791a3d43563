"""The time that the profile table of a whole catalogue takes, cold: nothing cached, code compiled."""

from time import monotonic, process_time

from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.build import build_profiles
from bouted.perf.candidates import candidate_shapes
from bouted.perf.costs import StepCosts
from bouted.perf.loads import USUAL, Detail
from bouted.perf.profile import ProfileTable
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.workload.declared import declared_profile

MODELS = ("llama-3.1-8b", "qwen2.5-32b", "llama-3.1-70b", "mistral-7b")
GPUS = ("T4", "A10G", "L4", "A6000", "L40S", "A100-40GB", "A100-80GB", "H100-80GB", "H200", "B200")
LOADS = 20
CONTEXT_TOKENS = 4096
SEED = 1
LENGTHS = declared_profile(
    rate_per_s=1.0,
    prompt_tokens=1024,
    output_tokens=256,
    arrival_cv=1.0,
    most_tokens=CONTEXT_TOKENS,
    seed=SEED,
).lengths

Shapes = tuple[tuple[ReplicaShape, StepCosts], ...]


def shapes() -> Shapes:
    """Every layout of the models that starts on one of the GPU types, on up to 8 GPUs."""
    catalog = load_catalog()
    gpus = tuple(catalog.gpu(gpu) for gpu in GPUS)
    return tuple(
        pair
        for name in MODELS
        for pair in candidate_shapes(
            name, catalog.model(name), gpus, Precision.BF16, Engine.VLLM, CONTEXT_TOKENS
        )
    )


def table_s() -> float:
    """Seconds to find every knee and simulate 20 loads below each, without the time to compile."""
    return built(shapes(), Detail(most_points=LOADS, bend=0.0))[1]


def built(wanted: Shapes, detail: Detail) -> tuple[ProfileTable, float]:
    """The table, and the seconds it took."""
    build_profiles(wanted[:1], LENGTHS, 1.0, SEED, detail=Detail(most_points=4))
    began = monotonic()
    table = build_profiles(wanted, LENGTHS, 1.0, SEED, detail=detail)
    return table, monotonic() - began


def main() -> None:
    """Both ways to place loads: 20 in any case, and as many as the curves need."""
    wanted = shapes()
    for what, detail in (("20 loads each", Detail(most_points=LOADS, bend=0.0)), ("as needed", USUAL)):
        began = process_time()
        table, seconds = built(wanted, detail)
        cpu = process_time() - began
        points = sum(len(profile.points) for profile in table.profiles)
        count = len(table.profiles)
        print(
            f"{what}: {count} layouts, {points / count:.1f} loads each, {seconds:.1f} s ({cpu:.1f} s of CPU)"
        )


if __name__ == "__main__":
    main()
