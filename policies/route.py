"""Which replica of a model gets the next query: the one least loaded for its size."""

from collections.abc import Mapping, Sequence

from bouted.gateway.table import Route


def pick_replica(
    routes: Sequence[Route], outstanding: Mapping[str, int], avoid: frozenset[str]
) -> Route | None:
    """The route with the least (outstanding + 1) / weight, the first of equals; None when there is none.

    `routes` are one model's. `outstanding` counts queries in flight by replica; replicas in `avoid` are
    passed over, and so are those without weight while another one has some.
    """
    usable = [route for route in routes if route.replica not in avoid]
    if not usable:
        return None
    return min(usable, key=lambda route: _load(route, outstanding.get(route.replica, 0)))


def _load(route: Route, outstanding: int) -> tuple[bool, float]:
    if route.weight <= 0:
        return True, float(outstanding)
    return False, (outstanding + 1) / route.weight
