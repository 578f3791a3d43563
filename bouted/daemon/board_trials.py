"""Kinds of replicas on trial, as the status board shows them. Pure."""

from bouted.board import BoardTrial
from bouted.gateway.table import RouteTable
from bouted.reconcile.rollout import RolloutState


def board_trials(state: RolloutState, table: RouteTable | None) -> tuple[BoardTrial, ...]:
    """Those that are held back by the route table in force, and those whose trial goes badly."""
    shares = {route.replica: route.share for route in table.routes} if table is not None else {}
    worse = dict(state.worse)
    found = []
    for kind in state.on_trial:
        held = [share for name in kind.replicas if (share := shares.get(name)) is not None]
        if held or kind.shape_id in worse:
            found.append(
                BoardTrial(
                    shape=kind.shape_id,
                    model=kind.model,
                    replicas=len(kind.replicas),
                    share=sum(held) if held else None,
                    since=kind.since.isoformat(),
                    worse=worse.get(kind.shape_id, ""),
                )
            )
    return tuple(found)
