"""The config section about GPU types that the catalog does not know."""

from typing import Annotated

from pydantic import Field

from bouted.catalog.gpus import GpuSpec, Link
from bouted.config.fields import Positive, Text, Whole, one_of
from bouted.config.section import Section


class GpuTypeSettings(Section):
    """One GPU type, by the fields of the catalog's `gpus.yaml`; it takes the place of one of the same name.

    `compute_capability` is left out where the maker is not NVIDIA, `fp8_tflops` and `fp4_tflops` where the
    GPU has no such arithmetic.
    """

    name: Text
    memory_gib: Positive
    bandwidth_gb_per_s: Positive
    bf16_tflops: Positive
    fp8_tflops: Positive | None = None
    fp4_tflops: Positive | None = None
    compute_capability: Positive | None = None
    watts: Positive
    link: Annotated[Link, one_of(Link)]
    link_gb_per_s: Positive
    max_fast_group: Annotated[Whole, Field(ge=1, le=72)]
    source: Text = "config"
    note: str = ""

    def spec(self) -> GpuSpec:
        """The same for the catalog."""
        return GpuSpec(**self.model_dump())


def described_by() -> str:
    """The keys that describe a GPU type, as a hint may list them."""
    required = [name for name, field in GpuTypeSettings.model_fields.items() if field.is_required()]
    return f"a GPU of your own goes under gpus: {', '.join(required)}"
