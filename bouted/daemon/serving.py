"""What each model's engines are told, by the config in force."""

from bouted.daemon.parts import Loaded
from bouted.errors import Misconfigured
from bouted.perf.defaults import default_flags
from bouted.perf.shapes import ReplicaShape
from bouted.reconcile.serving import Serving


def serving_of(loaded: Loaded, shape: ReplicaShape) -> Serving:
    """What an engine of this shape serves; Misconfigured when the config no longer knows the model.

    The flags are the very ones that its layout was checked and its steps were costed with.
    """
    model = next((model for model in loaded.config.models if model.name == shape.model), None)
    if model is None:
        raise Misconfigured("models", f"{shape.model!r} is not there any more")
    gpu = loaded.catalog.gpu(shape.gpu)
    flags = default_flags(shape.engine, gpu, model.context_tokens, tp=shape.tp, pp=shape.pp)
    weights = model.weights or loaded.catalog.model(model.spec).hf_repo
    return Serving(name=model.name, weights=weights, flags=flags)
