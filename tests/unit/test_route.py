"""Which replica gets a query."""

import pytest
from bouted.policies.route import pick_replica
from hypothesis import given
from hypothesis import strategies as st

from bouted.gateway.table import Route
from bouted.plugins import load

NONE: frozenset[str] = frozenset()


def a_route(replica: str, weight: float = 1.0) -> Route:
    return Route(replica=replica, model="small", endpoint=f"http://{replica}", weight=weight)


A, B, BIG = a_route("a"), a_route("b"), a_route("big", 3.0)


@pytest.mark.parametrize(
    ("routes", "outstanding", "avoid", "expected"),
    [
        ((A, B), {}, NONE, A),
        ((B, A), {}, NONE, B),
        ((A, B), {"a": 1}, NONE, B),
        ((A, BIG), {}, NONE, BIG),
        ((A, BIG), {"big": 1}, NONE, BIG),
        ((A, BIG), {"big": 2}, NONE, A),
        ((A, B), {}, frozenset({"a"}), B),
        ((A, B), {}, frozenset({"a", "b"}), None),
        ((), {}, NONE, None),
        ((a_route("idle", 0.0), A), {"a": 9}, NONE, A),
        ((a_route("idle", 0.0),), {}, NONE, a_route("idle", 0.0)),
    ],
)
def test_the_least_loaded_for_its_size_is_picked(
    routes: tuple[Route, ...], outstanding: dict[str, int], avoid: frozenset[str], expected: Route | None
) -> None:
    assert pick_replica(routes, outstanding, avoid) == expected


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=6))
def test_queries_that_stay_are_spread_by_weight(weights: list[float]) -> None:
    routes = tuple(a_route(str(index), weight) for index, weight in enumerate(weights))
    outstanding = {route.replica: 0 for route in routes}
    for _ in range(200):
        picked = pick_replica(routes, outstanding, NONE)
        assert picked is not None
        outstanding[picked.replica] += 1
    for route in routes:
        fair = 200 * route.weight / sum(weights)
        assert abs(outstanding[route.replica] - fair) <= len(routes)


def test_the_gateway_finds_the_policy_by_name() -> None:
    assert load("bouted.policies", "least_loaded") is pick_replica
