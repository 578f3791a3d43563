"""What an engine is to serve, beside how it lies on the GPUs."""

from dataclasses import dataclass

from bouted.perf.flags import EngineFlags


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The name that clients ask for, where the weights are, and the flags that plans reckon with.

    `weights` is a repository of the hub, a bucket's URL, or an absolute path on the node.
    """

    name: str
    weights: str
    flags: EngineFlags
