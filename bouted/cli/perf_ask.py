"""What was typed after `bouted perf`."""

from dataclasses import dataclass
from pathlib import Path

from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.shapes import Engine
from bouted.perf.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The options as typed; None where one was left out."""

    model: str
    gpu: str | None
    tp: int | None
    pp: int | None
    precision: Precision | None
    kv_cache_dtype: KvPrecision
    engine: Engine
    isl: int | None
    osl: int | None
    rate: float | None
    concurrency: int | None
    cv: float | None
    trace: Path | None
    context_tokens: int | None
    slo_ttft_ms: float | None
    slo_tpot_ms: float | None
    slo_e2e_s: float | None
    seed: int

    @property
    def slo(self) -> Slo | None:
        """The SLO at P95; None where no limit was given."""
        if self.slo_ttft_ms is None and self.slo_tpot_ms is None and self.slo_e2e_s is None:
            return None
        return Slo(ttft_s=_s(self.slo_ttft_ms), tpot_s=_s(self.slo_tpot_ms), e2e_s=self.slo_e2e_s)


def _s(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
