"""Where an engine finds its weights on a machine, and what brings them there.

A cold start is mostly this: 140 GB for a model of 70B. So what is complete is never fetched again, replicas
on one machine fetch once, and a bucket near the machines is filled by the first of them.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from bouted.config.problems import Problem
from bouted.errors import Misconfigured

from .engine_fetch import bucket_script, hub_script
from .engine_options import EngineOptions
from .engine_set_up import in_venv
from .engine_start import Step

PHASE = "downloading weights"
_HUB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_GATED = re.compile(r"meta-llama/.+|google/gemma-.+")
"""Repositories of the catalog that ask for a licence to be accepted; others say so at the download."""


class Kind(StrEnum):
    """What sort of place weights are at."""

    HUB = "hub"
    BUCKET = "bucket"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What the engine is told to load, and the steps before that. `from_hub`: a token may be needed."""

    model: str
    steps: tuple[Step, ...] = ()
    from_hub: bool = False


def kind_of(weights: str) -> Kind:
    """Misconfigured for what is neither a hub's repository, nor a bucket's URL, nor an absolute path."""
    if weights.startswith("/"):
        return Kind.FOLDER
    if weights.startswith(("s3://", "gs://")):
        return Kind.BUCKET
    if _HUB.fullmatch(weights):
        return Kind.HUB
    hint = "owner/name on the hub, s3://bucket/path, gs://bucket/path or /an/absolute/path"
    raise Misconfigured("models[].weights", f"{weights!r} is no place for weights", hint=hint)


def weights_for(weights: str, options: EngineOptions, *, token: bool) -> Weights:
    """How `weights` come to the engine; Misconfigured when they are gated and there is no `token`."""
    kind = kind_of(weights)
    if kind is Kind.FOLDER:
        return Weights(model=weights)
    if not options.fetch:
        return Weights(model=weights, from_hub=kind is Kind.HUB)
    cached = _is_bucket(options.cache)
    root = "{home}/.bouted/weights" if cached or not options.cache else options.cache
    if kind is Kind.BUCKET:
        folder = f"{root}/{weights.split('://')[1].rstrip('/')}"
        argv = bucket_script(weights.rstrip("/"), folder)
    else:
        if wrong := gated(weights, options, token=token, path="models[].weights"):
            raise Misconfigured(wrong.path, wrong.message, hint=wrong.hint)
        folder = f"{root}/{weights}"
        argv = hub_script(weights, folder, f"{options.cache}/{weights}" if cached else "")
    step = Step(phase=PHASE, argv=in_venv(options, argv))
    return Weights(model=folder, steps=(step,), from_hub=kind is Kind.HUB)


def gated(weights: str, options: EngineOptions, *, token: bool, path: str) -> Problem | None:
    """What is wrong with `weights`, which the config has at `path`, when they are to be fetched from the hub,
    ask for a licence, and there is no `token`."""
    if token or not options.fetch or not _GATED.fullmatch(weights):
        return None
    hint = "hf_token_file names a file with a token that may read it"
    return Problem(path=path, message=f"{weights} is gated and there is no token", hint=hint)


def _is_bucket(place: str) -> bool:
    return "://" in place
