"""When a plan is rolled back, when it stands, and what may be in the way."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bouted.events import Event, EventKind, Severity
from bouted.perf.verdict import Record
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.rollback import (
    PROBATION,
    Call,
    Case,
    InForce,
    counts_from,
    counts_until,
    decide,
    in_force,
    met_targets,
)
from bouted.reconcile.rollout import RolloutRules
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.open import Store
from bouted.testing.builders import targets
from bouted.testing.fleet import START, an_offer, planned
from bouted.testing.store import a_node, a_plan, fresh_store
from bouted.workload.profile import RequestSample

RULES = RolloutRules(canary_share=0.05, canary_s=60, canary_requests=20, soak_s=120, rollback_pct=50)
OLD_OFFER, NEW_OFFER = an_offer(gpu="L40S", usd_per_hour="3.00"), an_offer(gpu="L4", usd_per_hour="1.00")
OLD, NEW = planned(OLD_OFFER, 2, small=1), planned(NEW_OFFER, 2, small=1)
NEW_SHAPE = NEW[0].template.replicas[0]
NOW = START + timedelta(minutes=20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        yield opened


@pytest.fixture
def case(store: Store) -> Case:
    """A plan on probation that nothing is known against: promised p95 TTFT 0.3 s, the target is 1 s."""
    return Case(
        plan=replace(a_plan(store, "new", nodes=NEW), rate_per_s=2.0),
        previous=replace(a_plan(store, "old", nodes=OLD), rate_per_s=2.0),
        since=START,
        fleet=a_fleet(),
        targets=targets(ttft=1.0),
        record=a_record(0.2),
        met_before=True,
        worse=(),
        rate_per_s=2.0,
        offers=(OLD_OFFER, NEW_OFFER),
        cap_usd_per_hour=Decimal(10),
        load_step_pct=30.0,
    )


def a_fleet(*nodes: Node, replicas: tuple[Replica, ...] = ()) -> FleetState:
    return FleetState(nodes=nodes, replicas=replicas, incarnations=())


def a_sample(ttft_s: float) -> RequestSample:
    return RequestSample(
        seq=0, arrived_s=0.0, model="small", replica="x", score=0.5, prompt_tokens=100,
        output_tokens=11, ttft_s=ttft_s, e2e_s=ttft_s + 0.1, ok=True,
    )  # fmt: skip


def a_record(ttft_s: float, *, requests: int = 200, rate_per_s: float = 2.0) -> Record:
    return Record(good=(a_sample(ttft_s),) * requests, failed=0, rate_per_s=rate_per_s)


def a_replica(
    name: str, status: ReplicaStatus, *, reason: Reason = Reason.LOST, minutes: float = 5
) -> Replica:
    return Replica(
        name=name,
        node="n",
        position=0,
        incarnation=1,
        shape=NEW_SHAPE,
        status=status,
        reason=reason,
        since=START + timedelta(minutes=minutes),
    )


def crashed(count: int, **changes: Any) -> tuple[Replica, ...]:
    return tuple(a_replica(f"x{n}", ReplicaStatus.FAILED, **changes) for n in range(count))


# What is held against a plan

WHY: list[tuple[str, dict[str, Any], str]] = [
    ("as promised", {}, ""),
    ("late, and met before", {"record": a_record(1.2)}, "p95 ttft is 1.2 s, promised 0.3 s"),
    ("late, far beyond the promise", {"record": a_record(1.2), "met_before": None}, "p95 ttft is 1.2 s"),
    ("missed before, far beyond", {"record": a_record(1.2), "met_before": False}, "p95 ttft is 1.2 s"),
    ("slower than promised, in time", {"record": a_record(0.9)}, ""),
    ("too few requests", {"record": a_record(5.0, requests=99)}, ""),
    ("more load than planned", {"record": a_record(5.0, rate_per_s=2.3)}, ""),
    ("a trial went badly", {"worse": ((NEW_SHAPE.id, "late"),)}, f"{NEW_SHAPE.id}: late"),
    ("engines crash", {"fleet": a_fleet(replicas=crashed(3))}, f"{NEW_SHAPE.id}: 3 engines ended"),
    ("engines are late", {"fleet": a_fleet(replicas=crashed(3, reason=Reason.TIMEOUT))}, NEW_SHAPE.id),
    ("two crashes are bad luck", {"fleet": a_fleet(replicas=crashed(2))}, ""),
    ("lost nodes are the cloud's", {"fleet": a_fleet(replicas=crashed(9, reason=Reason.NODE_ENDED))}, ""),
    ("crashes of before", {"fleet": a_fleet(replicas=crashed(9, minutes=-5))}, ""),
    (
        "one serves",
        {"fleet": a_fleet(replicas=(*crashed(9), a_replica("y", ReplicaStatus.READY)))},
        "",
    ),
]


@pytest.mark.parametrize(("name", "changes", "why"), WHY, ids=[w[0] for w in WHY])
def test_what_sends_a_plan_back(name: str, changes: dict[str, Any], why: str, case: Case) -> None:
    decision = decide(replace(case, **changes), RULES, NOW)
    assert decision.call is (Call.BACK if why else Call.STAND)
    assert decision.why.startswith(why)
    assert bool(decision.why) == bool(why)


def test_a_promise_near_the_target_is_broken_only_by_those_who_met_it_before(case: Case) -> None:
    near = replace(case.plan, estimate=replace(case.plan.estimate, ttft_p95_s=0.95))
    late = replace(case, plan=near, record=a_record(1.2))
    assert decide(late, RULES, NOW).call is Call.BACK
    assert decide(late, RULES, NOW).why.endswith("the target is 1 s, which was met before")
    for met_before in (False, None):
        assert decide(replace(late, met_before=met_before), RULES, NOW).call is Call.STAND


def test_a_kind_that_the_plan_before_has_too_is_no_reason_to_crash_back(case: Case) -> None:
    both = replace(case.plan, id="old", design=replace(case.plan.design, nodes=OLD + NEW))
    crashing = replace(case, previous=both, fleet=a_fleet(replicas=crashed(3)))
    assert decide(crashing, RULES, NOW).call is Call.STAND


def test_after_its_probation_a_plan_stands_but_a_trial_is_still_answered(case: Case) -> None:
    late = replace(case, record=a_record(5.0))
    assert decide(late, RULES, START + PROBATION).call is Call.BACK
    over = START + PROBATION + timedelta(seconds=1)
    assert decide(late, RULES, over).call is Call.STAND
    assert decide(replace(case, worse=((NEW_SHAPE.id, "late"),)), RULES, over).call is Call.BACK


# What is in the way

FAILED_OLD = replace(
    a_node("o"),
    offer=OLD_OFFER,
    status=NodeStatus.FAILED,
    reason=Reason.NO_CAPACITY,
    template=OLD[0].template,
)
STANDING = tuple(
    replace(a_node(f"o{n}"), offer=OLD_OFFER, template=OLD[0].template, status=NodeStatus.UP)
    for n in range(2)
)
OBSTACLES: list[tuple[str, dict[str, Any], str]] = [
    ("no plan before", {"previous": None}, "there is no plan to go back to"),
    ("more load than it can carry", {"rate_per_s": 2.7}, "the load has left what plan old can carry: 2.7"),
    ("dearer than the cap by now", {"cap_usd_per_hour": Decimal(5)}, "plan old would cost $6.00/h by now"),
    ("no longer offered", {"offers": (NEW_OFFER,)}, f"plan old needs what cannot be had: {OLD_OFFER.id}"),
    ("too few left", {"offers": (replace(OLD_OFFER, obtainable=1),)}, "plan old needs what cannot be had"),
    ("refused just now", {"fleet": a_fleet(FAILED_OLD)}, "plan old needs what cannot be had"),
    ("it still stands", {"fleet": a_fleet(FAILED_OLD, *STANDING), "offers": ()}, ""),
    (
        "half of it stands",
        {"fleet": a_fleet(STANDING[0]), "offers": ()},
        "plan old needs what cannot be had",
    ),
]


@pytest.mark.parametrize(("name", "changes", "obstacle"), OBSTACLES, ids=[o[0] for o in OBSTACLES])
def test_what_keeps_a_bad_plan_in_force(
    name: str, changes: dict[str, Any], obstacle: str, case: Case
) -> None:
    decision = decide(replace(case, worse=((NEW_SHAPE.id, "late"),), **changes), RULES, NOW)
    assert decision.call is (Call.STUCK if obstacle else Call.BACK)
    assert decision.obstacle.startswith(obstacle)
    assert bool(decision.obstacle) == bool(obstacle)


def test_going_back_does_not_help_when_the_plan_before_has_the_same(case: Case) -> None:
    same = replace(case.plan, id="old")
    decision = decide(replace(case, previous=same, worse=((NEW_SHAPE.id, "late"),)), RULES, NOW)
    assert (decision.call, decision.obstacle) == (Call.STUCK, "plan old has the same")


# Which plan is in force


def told(*moves: str) -> tuple[Event, ...]:
    """`+a`: a was applied, `-a`: it was rolled back; a minute apart."""
    kinds = {"+": EventKind.PLAN_APPLIED, "-": EventKind.PLAN_ROLLED_BACK}
    return tuple(
        Event(
            at=START + timedelta(minutes=n),
            kind=kinds[move[0]],
            severity=Severity.NOTICE,
            subject=move[1:],
            message="",
        )
        for n, move in enumerate(moves)
    )


HISTORIES: list[tuple[str, tuple[str, ...], str, int, str | None]] = [
    ("the first", ("+a",), "a", 0, None),
    ("the second", ("+a", "+b"), "b", 1, "a"),
    ("back again", ("+a", "+b", "-b"), "a", 2, None),
    ("the next one", ("+a", "+b", "-b", "+c"), "c", 3, "a"),
    ("no ping-pong", ("+a", "+b", "-b", "+c", "-c"), "a", 4, None),
    ("the same once more", ("+a", "+b", "+b"), "b", 2, "a"),
    ("what came before is forgotten", ("-b", "+c"), "c", 1, None),
]


@pytest.mark.parametrize(
    ("name", "moves", "plan_id", "minute", "before"), HISTORIES, ids=[h[0] for h in HISTORIES]
)
def test_events_tell_which_plan_is_in_force_and_which_was_before(
    name: str, moves: tuple[str, ...], plan_id: str, minute: int, before: str | None
) -> None:
    since = START + timedelta(minutes=minute)
    assert in_force(told(*moves)) == InForce(plan_id=plan_id, since=since, before_id=before)


def test_without_events_nothing_is_in_force() -> None:
    assert in_force(()) is None


# Which requests count


def ready(name: str, minutes: float) -> Replica:
    return a_replica(name, ReplicaStatus.READY, minutes=minutes)


def test_requests_count_once_all_of_the_plan_has_been_ready_and_proved_for_the_soak(case: Case) -> None:
    half = a_fleet(replicas=(ready("x", 3),))
    whole = a_fleet(replicas=(ready("x", 3), ready("y", 7)))
    assert counts_from(case.plan, half, RULES, START) is None
    begin = counts_from(case.plan, whole, RULES, START)
    assert begin == START + timedelta(minutes=7 + 2)
    assert counts_from(case.plan, whole, RULES, NOW) == NOW + timedelta(minutes=2)
    assert counts_until(begin, RULES) == begin + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("record", "met"), [(a_record(0.5), True), (a_record(1.5), False), (a_record(0.5, requests=99), None)]
)
def test_targets_were_met_missed_or_nobody_knows(record: Record, met: bool | None) -> None:
    assert met_targets(record, targets(ttft=1.0), RULES) is met


def test_two_minutes_after_a_rollback_the_same_rows_do_nothing_more(case: Case) -> None:
    after = in_force(told("+old", "+new", "-new"))
    assert after is not None
    assert after.before_id is None
    back = replace(case, plan=replace(case.plan, id="old"), previous=None, record=a_record(5.0))
    decision = decide(back, RULES, datetime.max.replace(tzinfo=START.tzinfo))
    assert decision.call is Call.STAND
