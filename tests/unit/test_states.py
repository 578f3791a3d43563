"""The tables of moves: what holds for every status, and that their picture in the docs is of today."""

from itertools import product
from pathlib import Path

import pytest

from bouted.reconcile.states import (
    NODE_LIVE,
    NODE_MOVES,
    NODE_PAID,
    REPLICA_LIVE,
    REPLICA_MOVES,
    ImpossibleMove,
    NodeStatus,
    Reason,
    ReplicaStatus,
    require_node_move,
    require_replica_move,
)
from bouted.reconcile.states_drawn import document

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_page_on_states_is_drawn_from_the_tables_of_today() -> None:
    drawn, how = document(), "python -m bouted.reconcile.states_drawn > docs/states.md"
    assert PAGE.read_text(encoding="utf-8") == drawn, f"docs/states.md is out of date; run: {how}"


def test_every_word_says_what_it_means() -> None:
    words = (*NodeStatus, *ReplicaStatus, *Reason)
    assert all(word.meaning and word.meaning[0].islower() for word in words)
    assert {status.value: status for status in NodeStatus}["up"] is NodeStatus.UP
    assert f"{NodeStatus.UP}" == "up"


@pytest.mark.parametrize(("before", "after"), list(product(NodeStatus, NodeStatus)))
def test_a_node_moves_only_as_the_table_says(before: NodeStatus, after: NodeStatus) -> None:
    if after in NODE_MOVES[before]:
        require_node_move(before, after)
    else:
        with pytest.raises(ImpossibleMove, match=f"from {before} to {after}"):
            require_node_move(before, after)


@pytest.mark.parametrize(("before", "after"), list(product(ReplicaStatus, ReplicaStatus)))
def test_a_replica_moves_only_as_the_table_says(before: ReplicaStatus, after: ReplicaStatus) -> None:
    if after in REPLICA_MOVES[before]:
        require_replica_move(before, after)
    else:
        with pytest.raises(ImpossibleMove, match=f"from {before} to {after}"):
            require_replica_move(before, after)


def test_whatever_is_live_may_need_attention_and_can_end_from_there() -> None:
    doubtful, unsure = NodeStatus.NEEDS_ATTENTION, ReplicaStatus.NEEDS_ATTENTION
    assert all(doubtful in NODE_MOVES[status] for status in NODE_LIVE - {doubtful})
    assert all(unsure in REPLICA_MOVES[status] for status in REPLICA_LIVE - {unsure})
    assert NODE_MOVES[doubtful] >= {NodeStatus.UP, NodeStatus.GONE, NodeStatus.FAILED}
    assert REPLICA_MOVES[unsure] >= {ReplicaStatus.READY, ReplicaStatus.STOPPED, ReplicaStatus.FAILED}


def test_money_never_stops_while_something_may_run() -> None:
    assert frozenset({NodeStatus.PLANNED}) == NODE_LIVE - NODE_PAID
