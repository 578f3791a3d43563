"""What clouds call a GPU, and what the catalog calls it."""

import pytest

from bouted.catalog.load import load_catalog
from bouted.catalog.names import catalog_gpu


@pytest.mark.parametrize(
    ("name", "gib", "ours"),
    [
        ("H100", 80, "H100-80GB"),
        ("NVIDIA H100 80GB HBM3", None, "H100-80GB"),
        ("nvidia-h100-mega-80gb", None, "H100-80GB"),
        ("A100", 40, "A100-40GB"),
        ("A100", 80, "A100-80GB"),
        ("nvidia-tesla-a100", 40, "A100-40GB"),
        ("NVIDIA A100-SXM4-80GB", None, "A100-80GB"),
        ("A100 PCIE", 80, "A100-80GB-PCIE"),
        ("nvidia-tesla-v100", 16, "V100-16GB"),
        ("V100", 32, "V100-32GB"),
        ("NVIDIA GeForce RTX 4090", 24, "RTX4090"),
        ("RTX PRO Server 6000", 96, "RTXPRO6000"),
        ("nvidia-l4", None, "L4"),
        ("L40S", 45, "L40S"),
        ("nvidia-h200-141gb", 141, "H200"),
        ("MI300X", 192, "MI300X"),
    ],
)
def test_a_name_is_brought_to_the_catalogs(name: str, gib: float | None, ours: str) -> None:
    assert catalog_gpu(name, gib) == ours
    assert ours in {gpu.name for gpu in load_catalog().gpus}


@pytest.mark.parametrize(
    ("memory", "ours"), [(40960, "A100-40GB"), (81920, "A100-80GB"), (0.078, "A100-40GB")]
)
def test_memory_in_another_unit_does_not_make_a_larger_gpu(memory: float, ours: str) -> None:
    assert catalog_gpu("A100", memory) == ours


def test_a_name_of_unknown_memory_is_taken_for_the_smallest() -> None:
    assert (catalog_gpu("A100"), catalog_gpu("V100")) == ("A100-40GB", "V100-16GB")


@pytest.mark.parametrize(
    ("name", "tidied"),
    [("Tesla M60", "M60"), ("NVIDIA GH200", "GH200"), ("RTX 6000 Ada", "RTX-6000-Ada"), ("", "unknown")],
)
def test_a_gpu_that_no_catalog_has_keeps_its_name_tidied(name: str, tidied: str) -> None:
    assert catalog_gpu(name) == tidied
