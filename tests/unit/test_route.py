"""Which replica gets a query."""

import random
from collections import Counter
from heapq import heappop, heappush
from itertools import islice

import pytest
from bouted.policies.route import pick_replica
from hypothesis import given
from hypothesis import strategies as st

from bouted.gateway.balance import even_draws
from bouted.gateway.table import Route
from bouted.plugins import load

NONE: frozenset[str] = frozenset()


def a_route(replica: str, weight: float = 1.0, share: float | None = None) -> Route:
    return Route(replica=replica, model="small", endpoint=f"http://{replica}", weight=weight, share=share)


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
        ((a_route("new", 9.0, 0.4), A), {}, NONE, A),
        ((a_route("new", 9.0, 0.6), A), {"new": 99}, NONE, a_route("new", 9.0, 0.6)),
        ((a_route("new", 9.0, 0.3), a_route("new2", 9.0, 0.3), A), {}, NONE, a_route("new2", 9.0, 0.3)),
        ((a_route("new", 1.0, 0.1),), {}, NONE, a_route("new", 1.0, 0.1)),
        ((a_route("new", 1.0, 0.1), A), {}, frozenset({"a"}), a_route("new", 1.0, 0.1)),
        ((a_route("new", 1.0, 0.9), A), {}, frozenset({"new"}), A),
    ],
)
def test_the_least_loaded_for_its_size_is_picked(
    routes: tuple[Route, ...], outstanding: dict[str, int], avoid: frozenset[str], expected: Route | None
) -> None:
    assert pick_replica(routes, outstanding, avoid, 0.5) == expected


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=6))
def test_queries_that_stay_are_spread_by_weight(weights: list[float]) -> None:
    routes = tuple(a_route(str(index), weight) for index, weight in enumerate(weights))
    outstanding = {route.replica: 0 for route in routes}
    for _ in range(200):
        picked = pick_replica(routes, outstanding, NONE, 0.5)
        assert picked is not None
        outstanding[picked.replica] += 1
    for route in routes:
        fair = 200 * route.weight / sum(weights)
        assert abs(outstanding[route.replica] - fair) <= len(routes)


@pytest.mark.parametrize("rate_per_s", [0.1, 5.0, 40.0], ids=["idle", "busy", "crowded"])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
@pytest.mark.parametrize("slowness", [1.0, 3.0])
def test_one_on_trial_gets_its_share_whatever_the_load(
    rate_per_s: float, share: float, slowness: float
) -> None:
    """A canary beside two siblings that are far larger; answers take an exponential time around a second."""
    routes = (a_route("new", 1.0, share), a_route("a", 10.0), a_route("b", 10.0))
    rng, draws = random.Random(3), even_draws(0.1)
    ends: list[tuple[float, str]] = []
    outstanding, got, now_s = Counter[str](), Counter[str](), 0.0
    for _ in range(2000):
        now_s += rng.expovariate(rate_per_s)
        while ends and ends[0][0] <= now_s:
            outstanding[heappop(ends)[1]] -= 1
        picked = pick_replica(routes, outstanding, NONE, next(draws))
        assert picked is not None
        got[picked.replica] += 1
        outstanding[picked.replica] += 1
        takes_s = rng.expovariate(1.0) * (slowness if picked.replica == "new" else 1.0)
        heappush(ends, (now_s + takes_s, picked.replica))
    assert got["new"] / 2000 == pytest.approx(share, abs=0.005)


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 400))
def test_a_small_share_is_right_after_a_few_queries(start: float, skipped: int) -> None:
    draws = list(islice(even_draws(start), skipped, skipped + 100))
    assert all(0 <= draw < 1 for draw in draws)
    assert 3 <= sum(draw < 0.05 for draw in draws) <= 7


def test_the_gateway_finds_the_policy_by_name() -> None:
    assert load("bouted.policies", "least_loaded") is pick_replica
