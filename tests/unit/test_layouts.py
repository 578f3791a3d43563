"""Which layouts are planned with."""

import re

import pytest

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.shapes import Engine
from bouted.planner.layouts import Layouts, ModelWanted, layouts_of
from bouted.workload.profile import RequestLength

CATALOG = load_catalog()
LENGTHS = (RequestLength(prompt_tokens=1000, output_tokens=200),)


def wanted(spec: str, precision: Precision = Precision.BF16) -> ModelWanted:
    return ModelWanted(
        name="m", spec=CATALOG.model(spec), precision=precision, engine=Engine.VLLM, context_tokens=4096
    )


def layouts(
    spec: str,
    *gpus: str,
    precision: Precision = Precision.BF16,
    lengths: tuple[RequestLength, ...] = LENGTHS,
    groups: int = 1,
) -> Layouts:
    cards: tuple[GpuSpec, ...] = tuple(CATALOG.gpu(gpu) for gpu in gpus)
    return layouts_of((wanted(spec, precision),), cards, lengths, (), groups)


def cuts(found: Layouts) -> set[tuple[int, int]]:
    return {(shape.tp, shape.pp) for shape, _ in found.shapes}


def test_over_nvlink_tensor_parallelism_stands_for_pipelines_of_as_many_gpus() -> None:
    assert cuts(layouts("llama-3.1-8b", "H100-80GB")) == {(1, 1), (2, 1), (4, 1), (8, 1)}


def test_over_nvlink_a_pipeline_stays_where_no_group_of_as_many_gpus_starts() -> None:
    """28 heads do not divide by 8, and four GPUs hold fewer than 16 requests of 400,200 tokens."""
    long = (RequestLength(prompt_tokens=400_000, output_tokens=200),)
    assert cuts(layouts("qwen2.5-7b", "H100-80GB", lengths=long)) >= {(1, 1), (2, 1), (4, 1), (4, 2)}


def test_over_pcie_both_are_planned_with() -> None:
    assert cuts(layouts("llama-3.1-70b", "L40S")) == {(4, 1), (2, 2), (1, 4)}


def test_stages_are_not_added_to_what_has_room_already() -> None:
    tight = (RequestLength(prompt_tokens=8000, output_tokens=200),)
    assert cuts(layouts("qwen2.5-14b", "L40S")) == {(1, 1), (2, 1), (4, 1)}
    assert cuts(layouts("qwen2.5-14b", "L40S", lengths=tight)) >= {(1, 1), (1, 2)}


@pytest.mark.parametrize(
    ("spec", "gpu", "precision", "says"),
    [
        ("llama-3.1-70b", "T4", Precision.BF16, "needs 1[0-9][0-9] GiB of GPU memory"),
        ("llama-3.1-8b", "T4", Precision.FP8, "T4"),
    ],
)
def test_a_model_without_a_layout_says_what_is_in_the_way(
    spec: str, gpu: str, precision: Precision, says: str
) -> None:
    found = layouts(spec, gpu, precision=precision)
    assert found.shapes == ()
    assert [one.model for one in found.without] == ["m"]
    assert re.search(says, found.without[0].reason), found.without[0].reason


def test_a_model_too_large_for_one_instance_is_planned_over_two() -> None:
    """405B in bf16 needs more than eight H100s, which is as large as an instance gets."""
    assert layouts("llama-3.1-405b", "H100-80GB").shapes == ()
    found = layouts("llama-3.1-405b", "H100-80GB", groups=2)
    assert {(shape.tp, shape.pp, shape.instances) for shape, _ in found.shapes} == {(8, 2, 2), (4, 4, 2)}


def test_groups_add_nothing_for_a_model_that_one_gpu_serves_well() -> None:
    assert layouts("llama-3.1-8b", "H100-80GB", groups=4) == layouts("llama-3.1-8b", "H100-80GB")
