"""Which catalog entries the measured rows mean, and the step costs of what they ran on."""

from dataclasses import dataclass
from functools import cache

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.load import load_catalog
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.costs import StepCosts
from bouted.perf.curveset import Curves
from bouted.perf.flags import EngineFlags
from bouted.perf.layout import Layout
from bouted.perf.memory import fits
from bouted.perf.shapes import Engine, Fit, Refusal, ReplicaShape
from bouted.perf.steptime import layout_of, step_costs

LLAMA_1_30B = ModelSpec(
    name="llama-1-30b",
    hf_repo="huggyllama/llama-30b",
    params_b=32.5,
    layers=60,
    hidden=6656,
    heads=52,
    kv_heads=52,
    head_dim=128,
    intermediate=17920,
    vocab=32000,
    max_context=2048,
    source="LLaMA, Touvron et al. 2023, table 2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One replica as somebody measured it."""

    model: ModelSpec
    gpu: GpuSpec
    precision: Precision
    flags: EngineFlags
    tp: int = 1
    pp: int = 1
    engine: Engine = Engine.VLLM

    @property
    def shape(self) -> ReplicaShape:
        """As the catalog's names say it."""
        return ReplicaShape(
            model=self.model.name,
            gpu=self.gpu.name,
            tp=self.tp,
            pp=self.pp,
            precision=self.precision,
            engine=self.engine,
        )

    def layout(self, curves: Curves | None = None) -> Layout:
        """For its parts."""
        return layout_of(self.model, self.gpu, self.shape, self.flags, curves)

    def gate(self, context_tokens: int) -> Fit | Refusal:
        """What the feasibility gate says to it, for one request of this length."""
        return fits(
            self.model,
            self.gpu,
            self.shape,
            context_tokens=context_tokens,
            min_kv_tokens=context_tokens,
            flags=self.flags,
        )

    def costs(self, context_tokens: int, seqs: int, curves: Curves | None = None) -> StepCosts:
        """Its step costs. It ran, so where the gate refuses it there is KV for `seqs` requests."""
        fit = self.gate(context_tokens)
        if isinstance(fit, Refusal):
            fit = Fit(
                weights_gib=0.0,
                reserve_gib=0.0,
                kv_gib=0.0,
                kv_capacity_tokens=seqs * (context_tokens + 1),
                flags=self.flags,
            )
        return step_costs(self.model, self.gpu, self.shape, fit, self.flags, curves)


@cache
def model(name: str) -> ModelSpec:
    """A model of the catalog."""
    return LLAMA_1_30B if name == LLAMA_1_30B.name else load_catalog().model(name)


@cache
def gpu(name: str) -> GpuSpec:
    """A GPU of the catalog."""
    return load_catalog().gpu(name)
