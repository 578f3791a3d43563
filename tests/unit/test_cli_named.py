"""Whom a person means by part of a name."""

import pytest

from bouted.cli.named import node_meant, replica_meant
from bouted.errors import Misconfigured
from bouted.store.read_names import Named


def named(name: str, node: str = "", *, live: bool = True) -> Named:
    return Named(name=name, node=node or name, live=live, adopted=False)


KNOWN = (
    named("bt-prod-0aa00000-1", live=False),
    named("bt-prod-0aa00000-1-r0", "bt-prod-0aa00000-1", live=False),
    named("bt-prod-0aa00000-2"),
    named("bt-prod-0aa00000-2-r0", "bt-prod-0aa00000-2", live=False),
    named("bt-prod-0aa00000-2-r0x2", "bt-prod-0aa00000-2"),
    named("bt-prod-0bb00000-1"),
    named("bt-prod-0bb00000-1-r0", "bt-prod-0bb00000-1"),
    named("bt-prod-0bb00000-1-r1", "bt-prod-0bb00000-1"),
    named("bt-prod-0bb00000-10"),
    named("bt-prod-0bb00000-10-r0", "bt-prod-0bb00000-10"),
)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("bt-prod-0bb00000-1-r1", "bt-prod-0bb00000-1-r1"),
        ("0bb00000-1-r1", "bt-prod-0bb00000-1-r1"),
        ("r1", "bt-prod-0bb00000-1-r1"),
        ("0aa", "bt-prod-0aa00000-2-r0x2"),  # the only one that lives
        ("bt-prod-0aa00000-2", "bt-prod-0aa00000-2-r0x2"),
        ("bt-prod-0aa00000-2-r0", "bt-prod-0aa00000-2-r0"),  # exactly so, though it ended
        ("0aa00000-1-r0", "bt-prod-0aa00000-1-r0"),
        ("bt-prod-0aa00000-1", "bt-prod-0aa00000-1-r0"),
        ("bt-prod-0bb00000-10", "bt-prod-0bb00000-10-r0"),
        ("0bb00000-10", "bt-prod-0bb00000-10-r0"),
    ],
)
def test_a_replica_is_meant_by_its_name_its_beginning_its_end_or_its_node(word: str, meant: str) -> None:
    assert replica_meant(word, KNOWN, "prod").name == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("bt-prod-0bb00000-1", "bt-prod-0bb00000-1"),
        ("0aa00000-2", "bt-prod-0aa00000-2"),
        ("r0x2", "bt-prod-0aa00000-2"),
        ("r1", "bt-prod-0bb00000-1"),
        ("0aa", "bt-prod-0aa00000-2"),
    ],
)
def test_a_node_is_meant_by_its_name_or_by_a_replicas(word: str, meant: str) -> None:
    assert node_meant(word, KNOWN, "prod").name == meant


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("r0", "'r0' may be bt-prod-0bb00000-1-r0 or bt-prod-0bb00000-10-r0", "give more of the name"),
        (
            "bt-prod-0bb00000-1",
            "'bt-prod-0bb00000-1' may be bt-prod-0bb00000-1-r0 or bt-prod-0bb00000-1-r1",
            "give more of the name",
        ),
        (
            "bt-prod-0bb00000-1-r3",
            "there is no replica called 'bt-prod-0bb00000-1-r3'",
            "did you mean bt-prod-0bb00000-1-r1?",
        ),
        (
            "x",
            "there is no replica called 'x'",
            "there are bt-prod-0aa00000-2-r0x2, bt-prod-0bb00000-1-r0, bt-prod-0bb00000-1-r1 or "
            "bt-prod-0bb00000-10-r0",
        ),
    ],
)
def test_a_name_that_is_not_one_replicas_is_one_line_with_the_nearest(
    word: str, message: str, hint: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        replica_meant(word, KNOWN, "prod")
    assert (refused.value.message, refused.value.hint) == (message, hint)


def test_where_nothing_runs_status_says_what_there_is() -> None:
    with pytest.raises(Misconfigured) as refused:
        node_meant("r0", (), "prod")
    assert str(refused.value) == "there is no node or replica called 'r0' (see: bouted status)"


def test_a_long_list_of_names_is_cut() -> None:
    known = tuple(named(f"n-r{number}", "n") for number in range(9))
    with pytest.raises(Misconfigured, match="may be n-r0, n-r1, n-r2, n-r3 or one of 5 more"):
        replica_meant("n-", known, "prod")
