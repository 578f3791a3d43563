"""What the deployment at this place adds to `bouted perf`: its config's GPUs, what replicas taught."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

from bouted.catalog.load import Catalog, load_catalog
from bouted.cli.place import Place
from bouted.errors import Misconfigured
from bouted.perf.build import build_points
from bouted.perf.learn import Correction, believed, correction_key
from bouted.perf.loads import FIRST, Detail
from bouted.perf.profile import Profile
from bouted.perf.refused import RefusedStart, recent_starts
from bouted.perf.replica import Replica
from bouted.workload.profile import RequestLength


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The catalog in use, corrections by shape, and the failed starts that still count."""

    catalog: Catalog
    corrections: Mapping[str, Correction]
    failed: tuple[RefusedStart, ...]


def known_here(place: Place, now: datetime) -> Here:
    """What config and store know here; the shipped catalog alone where there is neither.

    Misconfigured when the config in use is wrong.
    """
    catalog = _catalog(place)
    try:
        url = place.database_url()
    except Misconfigured:  # no deployment here
        return Here(catalog=catalog, corrections={}, failed=())
    from bouted.daemon.profiling import REFUSED_DAYS
    from bouted.store.corrections import load_corrections
    from bouted.store.open import open_store
    from bouted.store.refused_starts import load_refused_starts

    with closing(open_store(url)) as store:
        failed = recent_starts(load_refused_starts(store), now=now, days=REFUSED_DAYS)
        return Here(catalog=catalog, corrections=load_corrections(store), failed=failed)


def _catalog(place: Place) -> Catalog:
    from bouted.daemon.parts import load

    path = place.located().config_path
    return load_catalog() if path is None else load(path).catalog


def as_learned(
    replica: Replica,
    corrections: Mapping[str, Correction],
    lengths: tuple[RequestLength, ...],
    now: datetime,
) -> Replica:
    """The replica with the step costs that planning would give it, for requests of these lengths."""
    correction = corrections.get(correction_key(replica.shape, replica.model.name))
    if correction is None:
        return replica
    costs = replica.costs
    (points,) = build_points((costs,), lengths, 1.0, 1, detail=Detail(most_points=len(FIRST)))
    profile = Profile(shape=replica.shape, costs=costs, points=points, evidence=costs.evidence)
    return replace(replica, costs=believed(profile, correction, now).costs)
