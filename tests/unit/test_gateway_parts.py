"""How the gateway reads requests, follows routes, picks replicas and admits clients; no network needed."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bouted.policies.route import pick_replica

from bouted.errors import Misconfigured
from bouted.gateway.balance import AVOID_S, Balance, Tried, even_draws
from bouted.gateway.keys import ApiKeys
from bouted.gateway.publish import read_table, write_table
from bouted.gateway.query import Query, read_query
from bouted.gateway.scoring import by_preference, judged, model_names, models_for, unserved_models
from bouted.gateway.serve import listener, serve
from bouted.gateway.state import RouteState
from bouted.gateway.table import Route, RouteTable
from bouted.quality.fit import fit_scorer
from bouted.quality.route_split import Judged, RouteRule, RouteSplit
from bouted.quality.synthetic import synthetic_records

CHAT = "/v1/chat/completions"
SPLIT = RouteSplit(
    models=("small", "medium", "large"),
    shares=(0.5, 0.3, 0.2),
    rules=(RouteRule(thresholds=(0.5, 0.8)),),
    scorer_hash="abc",
)


def a_table(*replicas: tuple[str, str]) -> RouteTable:
    """A table with these (replica, model) pairs."""
    routes = (Route(replica=r, model=m, endpoint=f"http://{r}", weight=1.0) for r, m in replicas)
    return RouteTable(
        version=1,
        plan_id="p",
        published_at=datetime(2026, 7, 1, tzinfo=UTC),
        split=SPLIT,
        routes=tuple(routes),
        scorer_file="scorer-abc.json",
    )


TABLE = a_table(("s1", "small"), ("s2", "small"), ("l1", "large"))


def a_query(**fields: object) -> Query:
    query = read_query(CHAT, json.dumps(fields).encode())
    assert query is not None
    return query


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


# The table on disk


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    write_table(path, TABLE)
    assert read_table(path) == TABLE
    assert [entry.name for entry in tmp_path.iterdir()] == ["routes.json"]


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[]", b'{"version": "x"}'])
def test_a_broken_table_is_named(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "routes.json"
    path.write_bytes(body)
    with pytest.raises(Misconfigured, match="not a route table") as caught:
        read_table(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    "wrong", [{"rules": (RouteRule(thresholds=(0.5,)),)}, {"rules": ()}, {"shares": (0.5, 0.5)}]
)
def test_rules_and_shares_must_fit_the_models(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = tmp_path / "routes.json"
    write_table(path, replace(TABLE, split=replace(SPLIT, **wrong)))
    with pytest.raises(Misconfigured, match="do not fit"):
        read_table(path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        read_table(tmp_path / "routes.json")


def test_the_last_good_table_stands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state, path = RouteState(tmp_path), tmp_path / "routes.json"
    state.refresh()
    assert state.table is None
    write_table(path, TABLE)
    state.refresh()
    path.write_text("{")
    for _ in range(3):
        state.refresh()
    assert state.table == TABLE
    path.unlink()
    state.refresh()
    assert state.table == TABLE
    assert [r.message for r in caplog.records if "last good routes stand" in r.message] != []
    assert len(caplog.records) == 2  # the scorer is missing, the table is broken; each is said once
    write_table(path, replace(TABLE, version=2))
    state.refresh()
    assert state.table == replace(TABLE, version=2)


# Requests


@pytest.mark.parametrize(
    ("messages", "text", "tokens"),
    [
        ([{"role": "user", "content": "first"}, {"role": "user", "content": "last"}], "last", 3),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "aaa"}], "q", 1),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}], "a", 1),
        ([{"role": "user"}, "odd", None], "", 0),
        ("odd", "", 0),
    ],
)
def test_the_last_user_message_is_scored(messages: object, text: str, tokens: int) -> None:
    query = a_query(messages=messages)
    assert (query.text, query.prompt_tokens) == (text, tokens)


@pytest.mark.parametrize(
    ("prompt", "text", "tokens"),
    [
        ("hello", "hello", 2),
        (["a", "b"], "b", 1),
        ([1, 2, 3], "", 3),
        ([[1, 2], [3, 4]], "", 4),
        (None, "", 0),
    ],
)
def test_the_prompt_of_a_completion_is_scored(prompt: object, text: str, tokens: int) -> None:
    query = read_query("/v1/completions", json.dumps({"prompt": prompt}).encode())
    assert query is not None
    assert (query.text, query.prompt_tokens) == (text, tokens)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000])
def test_what_is_not_an_object_is_no_query(raw: bytes) -> None:
    assert read_query(CHAT, raw) is None


def test_only_the_model_of_a_request_changes() -> None:
    fields = {"model": "auto", "messages": [{"role": "user", "content": "é\ud800"}], "logit_bias": {"1": 2.5}}
    query = a_query(**fields)
    assert json.loads(query.body_for("small").decode()) == {**fields, "model": "small"}
    assert a_query(model="small").body_for("small") == a_query(model="small").raw


# Routing


@pytest.mark.parametrize(
    ("model", "score", "expected"),
    [
        ("auto", 0.1, ("small", "medium", "large")),
        ("auto", 0.5, ("medium", "large", "small")),
        ("", 0.9, ("large", "medium", "small")),
        ("gpt-9", 0.1, ("small", "medium", "large")),
        ("large", 0.1, ("large", "medium", "small")),
        ("medium", 0.9, ("medium", "large", "small")),
        ("extra", 0.1, ("extra", "large", "medium", "small")),
    ],
)
def test_a_missing_model_is_replaced_upwards_first(
    model: str, score: float, expected: tuple[str, ...]
) -> None:
    table = a_table(("s1", "small"), ("x", "extra"))
    assert models_for(table, a_query(model=model), Judged(score=score)) == expected


def test_what_cannot_be_scored_goes_to_the_most_able_model() -> None:
    scorer, _ = fit_scorer(synthetic_records(1, 50), ("small", "large"), 1)
    picture = [{"role": "user", "content": [{"type": "image_url"}]}]
    assert SPLIT.model_for(judged(scorer, a_query(messages=picture))) == "large"
    assert SPLIT.model_for(judged(None, a_query(messages=[{"role": "user", "content": "hi"}]))) == "large"
    assert 0 <= judged(scorer, a_query(messages=[{"role": "user", "content": "hi"}])).score < 1


def test_a_model_with_a_share_and_no_replica_is_named() -> None:
    assert unserved_models(TABLE) == ("medium",)
    spared = replace(TABLE, split=replace(SPLIT, shares=(0.8, 0.0, 0.2)))
    assert unserved_models(spared) == ()


def test_every_model_can_be_named() -> None:
    assert model_names(None) == ("auto",)
    assert model_names(a_table(("x", "extra"))) == ("auto", "small", "medium", "large", "extra")
    assert by_preference(SPLIT, "medium") == ("medium", "large", "small")


def picked(balance: Balance, tried: Tried | None = None, models: tuple[str, ...] = ("small", "large")) -> str:
    route = balance.pick(TABLE, models, tried or Tried())
    return "" if route is None else route.replica


def test_queries_in_flight_move_the_next_one_elsewhere() -> None:
    balance = Balance(pick_replica, Hand(), even_draws(0.0))
    assert picked(balance) == "s1"
    with balance.holding("s1"):
        assert picked(balance) == "s2"
    assert picked(balance) == "s1"
    assert balance.outstanding == {}


def test_a_replica_that_refused_is_avoided_for_a_while() -> None:
    clock = Hand()
    balance = Balance(pick_replica, clock, even_draws(0.0))
    balance.refused("s1")
    assert picked(balance) == "s2"
    clock.now_s += AVOID_S + 0.1
    assert picked(balance) == "s1"


def test_an_abler_model_serves_while_a_models_replicas_refuse() -> None:
    balance = Balance(pick_replica, Hand(), even_draws(0.0))
    balance.refused("s1")
    balance.refused("s2")
    assert picked(balance) == "l1"
    balance.refused("l1")
    assert picked(balance) == "s1"
    assert picked(balance, Tried(never={"s1", "s2", "l1"})) == ""
    assert picked(balance, models=("medium",)) == ""


def test_a_broken_connection_is_tried_again_last() -> None:
    balance, tried = Balance(pick_replica, Hand(), even_draws(0.0)), Tried()
    tried.broke("s1")
    assert picked(balance, tried) == "s2"
    assert picked(balance, Tried(never={"s2", "l1"}, rather_not={"s1"})) == "s1"
    tried.broke("s1")
    assert tried.never == {"s1"}


# Who may connect


def test_keys_are_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# ours\n\nk1\n  k2  \n")
    keys = ApiKeys.read(path)
    assert keys.admits("Bearer k1")
    assert keys.admits("bearer k2")
    for wrong in ("", "k1", "Bearer", "Bearer ", "Bearer k", "Bearer # ours", "Basic k1"):
        assert not keys.admits(wrong)


@pytest.mark.parametrize("body", [b"", b"# only a comment\n", b"\xff\xfe"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(body)
    with pytest.raises(Misconfigured):
        ApiKeys.read(path)


def test_other_machines_need_keys(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="can be reached from other machines"):
        serve(tmp_path, "0.0.0.0", 0, None)


def test_a_port_in_use_is_named() -> None:
    with listener("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"port {port} is in use"):
            listener("127.0.0.1", port)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(Misconfigured, match="cannot listen on 192"):
        listener("192.0.2.1", 0)
