"""Which layouts the planner is offered: all that start, pipelines too, and why the others do not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.candidates import candidate_shapes, refusals
from bouted.perf.refused import RefusedStart, StartFailure
from bouted.perf.shapes import Engine, ReplicaShape, Rule

CATALOG = load_catalog()
GPUS = tuple(CATALOG.gpu(name) for name in ("L4", "A100-80GB", "H100-80GB", "MI300X"))
FAILED = RefusedStart(
    model="llama-3.1-70b",
    gpu="H100-80GB",
    tp=4,
    pp=1,
    precision=Precision.BF16,
    engine=Engine.VLLM,
    kind=StartFailure.OOM,
    at=datetime(2026, 11, 24, tzinfo=UTC),
    detail="CUDA out of memory",
)


def offered(
    model: str, *, learned: tuple[RefusedStart, ...] = (), most_gpus: int = 8
) -> tuple[set[ReplicaShape], dict[ReplicaShape, Rule]]:
    """The layouts that start, and the rule that each of the others breaks."""
    spec = CATALOG.model(model)
    found = candidate_shapes(
        "m", spec, GPUS, Precision.BF16, Engine.VLLM, 4096, learned=learned, most_gpus=most_gpus
    )
    others = refusals(
        "m", spec, GPUS, Precision.BF16, Engine.VLLM, 4096, learned=learned, most_gpus=most_gpus
    )
    return {shape for shape, _ in found}, {item.shape: item.rule for item in others}


@pytest.mark.parametrize("model", ["llama-3.1-8b", "llama-3.1-70b", "mixtral-8x22b", "qwen2.5-7b"])
def test_every_layout_tried_is_offered_or_refused(model: str) -> None:
    starting, others = offered(model)
    assert starting
    assert not starting & set(others)
    tried = {(shape.gpu, shape.tp, shape.pp) for shape in starting | set(others)}
    assert len(tried) == len(GPUS) * 9
    assert all(tp * pp <= 8 for _, tp, pp in tried)


def test_pipelines_are_offered_beside_tensor_parallel_groups() -> None:
    starting, _ = offered("llama-3.1-8b")
    on_h100 = {(shape.tp, shape.pp) for shape in starting if shape.gpu == "H100-80GB"}
    assert on_h100 == {(1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (2, 2), (4, 2), (1, 4), (2, 4)}


def test_a_pipeline_goes_where_no_fast_link_does() -> None:
    starting, others = offered("llama-3.1-70b")
    on_l4 = {(shape.tp, shape.pp) for shape in starting if shape.gpu == "L4"}
    assert on_l4 == {(4, 2), (2, 4)}
    refused = {(shape.tp, shape.pp): rule for shape, rule in others.items() if shape.gpu == "L4"}
    assert refused[1, 1] is Rule.MEMORY
    assert refused[8, 1] is Rule.LINK


def test_layouts_over_several_nodes_are_offered_where_they_are_asked_for() -> None:
    assert not any(shape.gpu_count > 8 for shape in offered("llama-3.1-405b")[0])
    wide, _ = offered("llama-3.1-405b", most_gpus=16)
    assert {(shape.tp, shape.pp) for shape in wide if shape.gpu == "H100-80GB"} == {(8, 2), (4, 4)}


def test_a_failed_start_takes_its_layout_and_tighter_ones_off_the_table() -> None:
    before, _ = offered("llama-3.1-70b")
    after, others = offered("llama-3.1-70b", learned=(FAILED,))
    lost = before - after
    assert {(shape.gpu, others[shape]) for shape in lost} == {("H100-80GB", Rule.LEARNED)}
    assert {(shape.tp, shape.pp) for shape in lost} >= {(4, 1), (2, 1), (2, 2)}
    assert (8, 1) in {(shape.tp, shape.pp) for shape in after if shape.gpu == "H100-80GB"}


def test_pipelines_over_several_instances_are_offered_only_where_groups_may_be() -> None:
    spec, card = CATALOG.model("llama-3.1-70b"), (CATALOG.gpu("H100-80GB"),)
    alone = candidate_shapes("m", spec, card, Precision.BF16, Engine.VLLM, 4096)
    assert {shape.instances for shape, _ in alone} == {1}
    grouped = candidate_shapes("m", spec, card, Precision.BF16, Engine.VLLM, 4096, groups=2)
    over = {(shape.tp, shape.pp): shape for shape, _ in grouped if shape.instances == 2}
    assert {(1, 4), (2, 2), (4, 2), (8, 2)} <= set(over)  # on instances of 2, 2, 4 and 8
    assert all(shape.pp % 2 == 0 and shape.gpu_count <= 16 for shape in over.values())
    assert not {(shape.tp, shape.pp) for shape in over.values()} & {(1, 1), (8, 1)}
    assert len({shape.id for shape, _ in grouped}) == len(grouped)


def test_stages_hand_on_more_slowly_between_instances() -> None:
    spec, card = CATALOG.model("llama-3.1-70b"), (CATALOG.gpu("H100-80GB"),)
    costs = dict(candidate_shapes("m", spec, card, Precision.BF16, Engine.VLLM, 4096, groups=4))
    for within in [shape for shape in costs if shape.instances == 1 and shape.pp > 1]:
        for instances in (n for n in (2, 4) if within.pp % n == 0):
            over = costs[replace(within, instances=instances)]
            message = 2 * spec.hidden * 1024 / 1.25e9
            more = over.step_s(1024, 0, 0) - costs[within].step_s(1024, 0, 0)
            assert 0 < more <= (instances - 1) * (message + 50e-6) + 1e-9
            assert over.kv_capacity_tokens == costs[within].kv_capacity_tokens
