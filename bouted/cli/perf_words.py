"""What `bouted perf` calls things: layouts, loads, limits, and where figures come from. Pure."""

from bouted.catalog.gpus import Evidence
from bouted.cli.units import count, seconds
from bouted.perf.estimate import rate_text
from bouted.perf.offered import Alone, Closed, Load, Open, Replay
from bouted.perf.shapes import ReplicaShape
from bouted.perf.slo import Slo

SOURCES = {
    Evidence.MEASURED: "operator times of this GPU, from the installed tables",
    Evidence.INTERPOLATED: "added up from operator times measured on this GPU",
    Evidence.LEARNED: "corrected by what your own replicas do",
    Evidence.ROOFLINE: "data-sheet figures, and what related GPUs and layouts reach",
}


def layout_words(shape: ReplicaShape) -> str:
    """`4x H100-80GB tp4`, and `pp2` where there are pipeline stages."""
    stages = f" pp{shape.pp}" if shape.pp > 1 else ""
    return f"{shape.gpu_count}x {shape.gpu} tp{shape.tp}{stages}"


def load_words(load: Load) -> str:
    """How requests come."""
    match load:
        case Alone():
            return "one request at a time"
        case Open(rate_per_s=rate):
            return f"{rate_text(rate)} req/s, open loop"
        case Closed(clients=clients):
            return f"{count(clients, 'client')} at once, closed loop"
        case Replay():
            return f"as recorded, {rate_text(load.rate_per_s)} req/s on average"


def load_kind(load: Load) -> str:
    """The same as one word, for JSON."""
    match load:
        case Alone():
            return "alone"
        case Open():
            return "open"
        case Closed():
            return "closed"
        case Replay():
            return "trace"


def slo_words(slo: Slo) -> str:
    """`p95 ttft <= 500 ms, p95 e2e <= 12 s`."""
    return ", ".join(f"p95 {metric} <= {seconds(limit)}" for metric, limit in slo.limits.items())
