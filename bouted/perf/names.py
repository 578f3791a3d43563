"""Names of profiles: the hash of all that decides them."""

from dataclasses import replace

from bouted.catalog.gpus import Evidence
from bouted.codec import content_hash, dump
from bouted.perf.costs import StepCosts
from bouted.workload.profile import RequestLength

FORMAT = 1
"""Raised when the same step costs and requests would give another profile: cached ones are then not used."""


def profile_hash(costs: StepCosts, lengths: tuple[RequestLength, ...], arrival_cv: float, seed: int) -> str:
    """Names the points that these step costs have for these requests, however sure the costs are."""
    bare = replace(costs, evidence=Evidence.ROOFLINE, spread=0.0)
    asked = repr((FORMAT, arrival_cv, seed)).encode()
    return content_hash(asked + dump(StepCosts, bare) + dump(tuple[RequestLength, ...], lengths))
