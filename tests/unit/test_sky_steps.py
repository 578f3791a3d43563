"""What follows for a node on SkyPilot, phase by phase: a table, and what must hold whatever is said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bouted.providers.node_look import Word
from bouted.providers.sky_record import NodeRecord, Phase
from bouted.providers.sky_steps import (
    CUT_OFF_S,
    MOST_TRIES,
    REACH_S,
    RECHECK_S,
    SILENT_S,
    Ask,
    Next,
    failed,
    next_step,
)
from bouted.providers.sky_wire import RequestState, SkyCluster, SkyLook, SkyRequest, SshAddress
from hypothesis import given
from hypothesis import strategies as st

from bouted.reconcile.launcher import Refused, Why
from bouted.testing.fleet import an_offer

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ANSWERS, NEVER = Word(answers=True), Word(answers=False)


def silent(for_s: float) -> Word:
    return Word(answers=False, silent_since=NOW - timedelta(seconds=for_s))


def a_record(phase: Phase, *, request: str = "", age_s: float = 5.0) -> NodeRecord:
    since = NOW - timedelta(seconds=age_s)
    return NodeRecord(name="n", offer=an_offer(), asked_at=since, since=since, phase=phase, request=request)


def a_look(
    *, cluster: str = "", request: RequestState | None = None, kind: str = "launch", id: str = "r"
) -> SkyLook:
    requests = () if request is None else (SkyRequest(id=id, kind=kind, cluster="n", state=request),)
    return SkyLook(requests=requests, clusters=(a_cluster(cluster),) if cluster else ())


def a_cluster(status: str) -> SkyCluster:
    return SkyCluster(
        name="n",
        status=status,
        said="Instances launched",
        launched_at_s=NOW.timestamp() - 60,
        region="us-east-1",
        zone="us-east-1a",
        instance_type="g5.xlarge",
        use_spot=True,
        cloud="aws",
        labels={},
        address=SshAddress(host="127.10.1.4", port=22, user="ubuntu", key_file="/k"),
    )


def after(record: NodeRecord, look: SkyLook, word: Word = NEVER) -> tuple[Phase, Ask]:
    step = next_step(record, look, word, NOW)
    return step.record.phase, step.ask


RUNNING, DONE, BROKE = RequestState.RUNNING, RequestState.SUCCEEDED, RequestState.FAILED
INTENT, LAUNCHING = a_record(Phase.INTENT), a_record(Phase.LAUNCHING, request="r")
REACHING, UP = a_record(Phase.REACHING), a_record(Phase.UP, age_s=600)
CHECKING, ENDING = a_record(Phase.CHECKING, request="r"), a_record(Phase.ENDING)
GOING = a_record(Phase.ENDING, request="r")

P, A, DOWN = Phase, Ask, "down"
STEPS = (
    ("an intent is asked for", INTENT, a_look(), NEVER, P.INTENT, A.LAUNCH),
    ("a launch under way is taken up", INTENT, a_look(request=RUNNING), NEVER, P.LAUNCHING, A.NOTHING),
    ("what is up is not launched again: its keeper is asked first", INTENT, a_look(cluster="UP"), NEVER,
     P.INTENT, A.NOTHING),
    ("and given a moment", INTENT, a_look(cluster="UP"), silent(SILENT_S - 1), P.INTENT, A.NOTHING),
    ("without its word the launch goes on", INTENT, a_look(cluster="UP"), silent(SILENT_S + 1),
     P.INTENT, A.LAUNCH),
    ("unless it answers", INTENT, a_look(cluster="UP"), ANSWERS, P.UP, A.NOTHING),
    ("what was cut short is launched under its name", INTENT, a_look(cluster="INIT"), silent(1),
     P.INTENT, A.LAUNCH),
    ("a launch goes on", LAUNCHING, a_look(request=RUNNING), NEVER, P.LAUNCHING, A.NOTHING),
    ("UP before its launch is over proves nothing", LAUNCHING, a_look(cluster="UP", request=RUNNING), NEVER,
     P.LAUNCHING, A.NOTHING),
    ("a launch is over", LAUNCHING, a_look(cluster="UP", request=DONE), NEVER, P.REACHING, A.NOTHING),
    ("a launch failed", LAUNCHING, a_look(request=BROKE), NEVER, P.LAUNCHING, A.WHY),
    ("a server that died forgot the launch", LAUNCHING, a_look(cluster="INIT"), NEVER, P.INTENT, A.NOTHING),
    ("the keeper's word is the proof", LAUNCHING, a_look(request=RUNNING), ANSWERS, P.UP, A.NOTHING),
    ("reached", REACHING, a_look(cluster="UP"), ANSWERS, P.UP, A.NOTHING),
    ("not reached yet", REACHING, a_look(cluster="UP"), NEVER, P.REACHING, A.NOTHING),
    ("never reached", a_record(P.REACHING, age_s=REACH_S + 1), a_look(cluster="UP"), NEVER,
     P.ENDING, A.DOWN),
    ("up", UP, a_look(cluster="UP"), ANSWERS, P.UP, A.NOTHING),
    ("silent for a moment", UP, a_look(cluster="UP"), silent(SILENT_S - 1), P.UP, A.NOTHING),
    ("silent", UP, a_look(cluster="UP"), silent(SILENT_S + 1), P.UP, A.REFRESH),
    ("silent, and checked a moment ago", a_record(P.UP, age_s=2), a_look(cluster="UP"),
     silent(RECHECK_S + 1), P.UP, A.NOTHING),
    ("the check goes on", CHECKING, a_look(cluster="UP", request=RUNNING), silent(9), P.CHECKING, A.NOTHING),
    ("it answers meanwhile", CHECKING, a_look(cluster="UP", request=RUNNING), ANSWERS, P.UP, A.NOTHING),
    ("the cloud has it no more", CHECKING, a_look(request=DONE), silent(9), P.ENDED, A.NOTHING),
    ("SkyPilot does not reach it either", CHECKING, a_look(cluster="INIT", request=DONE), silent(9),
     P.UP, A.NOTHING),
    ("and has not for long", CHECKING, a_look(cluster="INIT", request=DONE), silent(CUT_OFF_S + 1),
     P.ENDING, A.DOWN),
    ("the cloud stopped it", CHECKING, a_look(cluster="STOPPED", request=DONE), silent(9), P.ENDING, A.DOWN),
    ("the cloud has it", CHECKING, a_look(cluster="UP", request=DONE), silent(9), P.UP, A.NOTHING),
    ("the cloud has it, its keeper is dead", CHECKING, a_look(cluster="UP", request=DONE), silent(31),
     P.UP, A.RUN_AGAIN),
    ("a check that failed says nothing", CHECKING, a_look(request=BROKE), silent(9), P.UP, A.NOTHING),
    ("to be ended", ENDING, a_look(cluster="UP"), ANSWERS, P.ENDING, A.DOWN),
    ("to be ended while it is launched", ENDING, a_look(request=RUNNING), NEVER, P.ENDING, A.CANCEL_AND_DOWN),
    ("it is ending", GOING, a_look(cluster="UP", request=RUNNING, kind=DOWN), NEVER, P.ENDING, A.NOTHING),
    ("it has ended", GOING, a_look(request=DONE, kind=DOWN), NEVER, P.ENDED, A.NOTHING),
    ("ending it failed, and it is asked again", GOING, a_look(cluster="UP", request=BROKE, kind=DOWN), NEVER,
     P.ENDING, A.NOTHING),
    ("there was nothing to end", GOING, a_look(request=BROKE, kind=DOWN), NEVER, P.ENDED, A.NOTHING),
)  # fmt: skip


@pytest.mark.parametrize(
    ("record", "look", "word", "phase", "ask"), [s[1:] for s in STEPS], ids=[s[0] for s in STEPS]
)
def test_a_step(record: NodeRecord, look: SkyLook, word: Word, phase: Phase, ask: Ask) -> None:
    assert after(record, look, word) == (phase, ask)


def test_while_nothing_at_a_cloud_answers_no_machine_is_given_up_for_being_out_of_reach() -> None:
    look = a_look(cluster="INIT", request=DONE)
    step = next_step(CHECKING, look, silent(10 * CUT_OFF_S), NOW, blind=True)
    assert (step.record.phase, step.ask) == (Phase.UP, Ask.NOTHING)
    stopped = next_step(CHECKING, a_look(cluster="STOPPED", request=DONE), silent(9), NOW, blind=True)
    assert stopped.ask is Ask.DOWN


def test_a_launch_is_asked_for_only_so_often() -> None:
    tired = replace(INTENT, tries=MOST_TRIES)
    step = next_step(tired, a_look(), NEVER, NOW)
    assert step.record.phase is Phase.ENDED
    assert step.record.refused is not None
    assert step.record.refused.why is Why.BROKEN


def test_what_a_failed_launch_left_is_ended_before_the_refusal_is_told() -> None:
    why = Refused(why=Why.QUOTA, detail="d")
    assert failed(LAUNCHING, why, a_cluster("INIT"), NOW) == Next(
        record=replace(LAUNCHING, refused=why).to(Phase.ENDING, NOW), ask=Ask.DOWN
    )
    clean = failed(LAUNCHING, why, None, NOW).record
    assert (clean.phase, clean.ended_at, clean.started_at) == (Phase.ENDED, NOW, None)


def test_a_node_costs_from_when_its_cloud_began_it_not_from_when_it_was_reached() -> None:
    step = next_step(REACHING, a_look(cluster="UP"), ANSWERS, NOW)
    assert step.record.started_at == NOW - timedelta(seconds=60)


phases, states = st.sampled_from(list(Phase)), st.sampled_from([None, *RequestState])
statuses = st.sampled_from(["", "UP", "INIT", "STOPPED"])
words = st.one_of(st.just(ANSWERS), st.just(NEVER), st.floats(0, 500).map(silent))


@given(
    phases, states, st.sampled_from(["", "UP", "INIT", "STOPPED"]), words, st.floats(0, 1000), st.booleans()
)
def test_whatever_is_said_a_node_on_its_way_out_never_comes_back_and_up_is_never_launched(
    phase: Phase, state: RequestState | None, cluster: str, word: Word, age_s: float, asked: bool
) -> None:
    record = a_record(phase, request="r" if asked else "", age_s=age_s)
    step = next_step(record, a_look(cluster=cluster, request=state), word, NOW)
    if phase in (Phase.ENDING, Phase.ENDED):
        assert step.record.phase in (Phase.ENDING, Phase.ENDED)
    if step.ask is Ask.LAUNCH:
        assert phase is Phase.INTENT
        assert cluster != "UP" or word.silent_s(NOW) > SILENT_S
    if phase in (Phase.UP, Phase.CHECKING) and step.record.phase is Phase.ENDED:
        assert not cluster
        assert not word.answers
