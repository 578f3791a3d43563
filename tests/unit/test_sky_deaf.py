"""When an API server that says it is well counts as one that does nothing."""

from datetime import UTC, datetime, timedelta

from bouted.providers.sky_deaf import FAILED_S, PENDING_S, Deaf
from bouted.providers.sky_wire import RequestState, SkyRequest

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def requests(*states: RequestState) -> tuple[SkyRequest, ...]:
    return tuple(
        SkyRequest(id=f"r{n}", kind="launch", cluster=f"n{n}", state=state) for n, state in enumerate(states)
    )


def test_looks_that_fail_one_after_another_mean_that_it_is_deaf() -> None:
    deaf = Deaf()
    assert [deaf.failed(at(after_s)) for after_s in (0, FAILED_S, FAILED_S + 1)] == [False, False, True]


def test_one_answer_starts_the_count_anew_and_so_does_another_server() -> None:
    deaf = Deaf()
    deaf.failed(at(0))
    assert not deaf.answered((), at(FAILED_S))
    assert not deaf.failed(at(FAILED_S + 1))
    deaf.forget()
    assert not deaf.failed(at(3 * FAILED_S))


def test_requests_that_wait_while_nothing_runs_mean_that_its_workers_are_dead() -> None:
    deaf, waits = Deaf(), requests(RequestState.PENDING, RequestState.SUCCEEDED)
    assert not deaf.answered(waits, at(0))
    assert not deaf.answered(waits, at(PENDING_S))
    assert deaf.answered(waits, at(PENDING_S + 1))


def test_a_queue_is_no_deafness() -> None:
    deaf, queue = Deaf(), requests(RequestState.PENDING, RequestState.RUNNING)
    assert not any(deaf.answered(queue, at(after_s)) for after_s in (0, PENDING_S, 2 * PENDING_S))


def test_a_clock_that_goes_back_does_not_stretch_the_wait() -> None:
    deaf = Deaf()
    deaf.failed(at(86_400))
    assert not deaf.failed(at(0))
    assert deaf.failed(at(FAILED_S + 1))
