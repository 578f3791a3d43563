"""What launchers are asked for in tests: an instance, and an engine with easy step costs."""

from bouted.catalog.gpus import Evidence
from bouted.catalog.precision import Precision
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.reconcile.launcher import NodeOrder, ReplicaOrder
from bouted.testing.fleet import an_offer

# One token every 10 ms for one sequence alone, and 10 ms per 1,000 prompt tokens beyond the first.
EASY_COSTS = roofline(
    overhead_s=0.001,
    weights_s=0.009,
    compute_s_per_token=1e-5,
    kv_s_per_token=0.0,
    kv_capacity_tokens=100_000,
    max_batch=256,
    max_step_tokens=8192,
    evidence=Evidence.MEASURED,
    spread=0.0,
)


def a_node_order(name: str = "node-1", *, region: str = "us-east-1", gpus: int = 1) -> NodeOrder:
    """An order for one spot instance."""
    return NodeOrder(name=name, offer=an_offer(region=region, gpu_count=gpus))


def a_replica_order(
    name: str = "replica-1", node: str = "node-1", *, model: str = "small", costs: StepCosts = EASY_COSTS
) -> ReplicaOrder:
    """An order for one engine."""
    shape = ReplicaShape(model=model, gpu="L4", tp=1, pp=1, precision=Precision.BF16, engine=Engine.VLLM)
    return ReplicaOrder(
        name=name,
        node=node,
        shape=shape,
        served_model=model,
        weights=f"example/{model}",
        flags=EngineFlags(max_model_len=4096),
        costs=costs,
    )
