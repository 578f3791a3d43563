"""Which replica of a model gets a query: one on trial its share, else the one least loaded for its size."""

from collections.abc import Mapping, Sequence

from bouted.gateway.table import Route


def pick_replica(
    routes: Sequence[Route], outstanding: Mapping[str, int], avoid: frozenset[str], draw: float
) -> Route | None:
    """The route whose share `draw` falls into, else the one with the least (outstanding + 1) / weight, the
    first of equals; None when there is none.

    `routes` are one model's. `outstanding` counts queries in flight by replica; replicas in `avoid` are
    passed over, and so are those without weight while another one has some. `draw`, 0 up to but not 1, is
    another one for every query: a share holds whatever is in flight.
    """
    usable = [route for route in routes if route.replica not in avoid]
    settled = [route for route in usable if route.share is None]
    if not settled:
        return _least_loaded(usable, outstanding)
    for route in usable:
        if route.share is not None:
            draw -= route.share
            if draw < 0:
                return route
    return _least_loaded(settled, outstanding)


def _least_loaded(routes: Sequence[Route], outstanding: Mapping[str, int]) -> Route | None:
    return min(routes, key=lambda route: _load(route, outstanding.get(route.replica, 0)), default=None)


def _load(route: Route, outstanding: int) -> tuple[bool, float]:
    if route.weight <= 0:
        return True, float(outstanding)
    return False, (outstanding + 1) / route.weight
