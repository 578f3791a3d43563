from dataclasses import replace

import pytest

from bouted.catalog.gpus import Evidence
from bouted.perf.batch import Batch, Emitted
from bouted.perf.costs import StepCosts, roofline


def costs(
    *, overhead_s: float = 1.0, weights_s: float = 0.0, compute: float = 0.0, kv: float = 0.0,
    capacity: int = 10_000, max_batch: int = 4, max_step_tokens: int = 100,
) -> StepCosts:  # fmt: skip
    return roofline(
        overhead_s=overhead_s,
        weights_s=weights_s,
        compute_s_per_token=compute,
        kv_s_per_token=kv,
        kv_capacity_tokens=capacity,
        max_batch=max_batch,
        max_step_tokens=max_step_tokens,
        evidence=Evidence.MEASURED,
        spread=0.15,
    )


def tokens(batch: Batch) -> list[str]:
    """Run to the end; per step the tokens, as `key`, `key+` for a first and `key.` for a last one."""
    steps = []
    while batch.begin_step() is not None:
        steps.append(" ".join(_mark(token) for token in batch.end_step()))
    return steps


def _mark(token: Emitted) -> str:
    return f"{token.key}{'+' if token.first else ''}{'.' if token.done else ''}"


def test_an_idle_engine_has_nothing_to_do() -> None:
    batch = Batch(costs())
    assert batch.begin_step() is None
    assert (batch.running, batch.waiting, batch.kv_used_share) == (0, 0, 0.0)


def test_a_request_alone_reads_its_prompt_then_makes_a_token_per_step() -> None:
    batch = Batch(costs())
    batch.add(1, 100, 3)
    assert tokens(batch) == ["1+", "1", "1."]


def test_a_request_for_one_token_ends_with_its_prompt() -> None:
    batch = Batch(costs())
    batch.add(1, 50, 1)
    assert tokens(batch) == ["1+."]


def test_a_long_prompt_is_read_in_chunks_and_the_next_one_uses_what_is_left() -> None:
    batch = Batch(costs())
    batch.add(1, 150, 1)
    batch.add(2, 50, 2)
    assert tokens(batch) == ["", "1+. 2+", "2."]


def test_decodes_go_before_prompts() -> None:
    batch = Batch(costs(max_step_tokens=10))
    batch.add(1, 10, 3)
    batch.add(2, 10, 1)
    assert tokens(batch) == ["1+", "1", "1. 2+."]
    # the first step has no budget left for request 2; then it reads 9 of its 10 beside one decode


def test_first_come_first_served_and_no_more_than_fit_in_a_batch() -> None:
    batch = Batch(costs(max_batch=2))
    for key in (1, 2, 3):
        batch.add(key, 10, 2)
    batch.begin_step()
    assert (batch.running, batch.waiting) == (2, 1)
    batch.end_step()
    assert tokens(batch) == ["1. 2.", "3+", "3."]


def test_kv_is_taken_as_tokens_come_and_a_small_one_behind_waits_its_turn() -> None:
    batch = Batch(costs(capacity=100))
    batch.add(1, 50, 2)
    batch.add(2, 60, 1)
    batch.add(3, 10, 1)
    batch.begin_step()
    assert batch.kv_used_share == pytest.approx(0.50)
    batch.end_step()
    assert tokens(batch) == ["1.", "2+. 3+."]
    assert batch.kv_used_share == 0.0


def test_a_long_prompt_enters_only_when_all_of_it_has_room() -> None:
    batch = Batch(costs(capacity=100, max_step_tokens=20))
    batch.add(1, 15, 3)
    batch.add(2, 90, 1)
    assert tokens(batch) == ["1+", "1", "1.", "", "", "", "", "2+."]


def test_a_fuller_cache_than_expected_costs_the_one_admitted_last_its_place() -> None:
    batch = Batch(costs(capacity=24, max_step_tokens=30))
    batch.add(1, 10, 6)
    batch.add(2, 10, 6)
    batch.add(3, 5, 1)
    steps = tokens(batch)
    # 20 of 24 after the prompts, 22 and 24 after two decodes; then 2 goes, having made 3, and keeps them.
    assert steps == ["1+ 2+", "1 2", "1 2", "1", "1", "1.", "2 3+.", "2", "2."]
    assert batch.preemptions == 1


def test_a_preempted_request_reads_its_prompt_and_its_own_tokens_again() -> None:
    batch = Batch(costs(overhead_s=0.0, compute=1.0, capacity=24, max_step_tokens=30))
    batch.add(1, 10, 6)
    batch.add(2, 10, 6)
    seconds = []
    while (step := batch.begin_step()) is not None:
        seconds.append(step)
        batch.end_step()
    assert seconds == [20, 2, 2, 1, 1, 1, 13, 1, 1]


def test_who_was_preempted_goes_before_who_waits() -> None:
    batch = Batch(costs(capacity=30, max_batch=2))
    for key in (1, 2, 3):
        batch.add(key, 10, 8)
    batch.begin_step()
    assert (batch.waiting, batch.never_admitted) == (1, 1)
    batch.end_step()
    while not batch.preemptions:
        batch.begin_step()
        batch.end_step()
    assert (batch.running, batch.waiting, batch.never_admitted) == (1, 2, 1)
    assert "3+" in tokens(batch)[-8]


def test_tokens_in_the_prefix_cache_are_held_and_attended_to_but_not_computed() -> None:
    plain = replace(costs(overhead_s=0.0, compute=1.0), pair_s=0.001)
    batch = Batch(plain)
    batch.add(1, 100, 1, 80)
    assert batch.begin_step() == pytest.approx(20 + 20 * (80 + 20 / 2) * 0.001)
    assert batch.kv_used_share == pytest.approx(0.01)
    batch.end_step()


def test_two_stages_share_what_decodes_and_hold_two_steps() -> None:
    batch = Batch(replace(costs(), stages=2))
    for key in (1, 2, 3):
        batch.add(key, 10, 3)
    assert batch.begin_step() is not None
    assert batch.begin_step() is None  # all are in the step under way
    assert [token.key for token in batch.end_step()] == [1, 2, 3]
    assert batch.begin_step() is not None
    assert batch.begin_step() is not None
    with pytest.raises(RuntimeError, match="begin_step before"):
        batch.begin_step()
    assert [token.key for token in batch.end_step()] == [1, 2]
    assert [token.key for token in batch.end_step()] == [3]


def test_a_request_that_can_never_fit_is_refused() -> None:
    batch = Batch(costs(capacity=100))
    assert not batch.add(1, 90, 11)
    assert batch.add(2, 90, 10)
    assert batch.waiting == 1


def test_a_step_takes_the_time_of_the_slower_of_reading_and_computing() -> None:
    batch = Batch(costs(overhead_s=1.0, weights_s=2.0, compute=0.1, kv=0.01))
    batch.add(1, 100, 3)
    seconds = []
    while (step := batch.begin_step()) is not None:
        seconds.append(step)
        batch.end_step()
    assert seconds == pytest.approx([1 + 10, 1 + 2 + 1.00, 1 + 2 + 1.01])


def test_what_arrives_during_a_step_is_seen_at_its_end() -> None:
    batch = Batch(costs())
    batch.add(1, 10, 2)
    batch.begin_step()
    batch.add(2, 10, 1)
    assert [token.key for token in batch.end_step()] == [1]
    assert tokens(batch) == ["1. 2+."]


@pytest.mark.parametrize("during_step", [True, False])
def test_a_cancelled_request_is_forgotten_and_its_room_is_free(during_step: bool) -> None:
    batch = Batch(costs(capacity=100))
    batch.add(1, 60, 5)
    batch.add(2, 60, 1)
    batch.add(3, 60, 1)
    batch.begin_step()
    if not during_step:
        batch.end_step()
    batch.cancel(1)
    batch.cancel(2)
    batch.cancel(99)
    if during_step:
        assert batch.end_step() == ()
    assert tokens(batch) == ["3+."]
    assert batch.add(1, 60, 5)


def test_misuse_is_an_error_at_once() -> None:
    batch = Batch(costs())
    batch.add(1, 10, 1)
    with pytest.raises(ValueError, match="already here"):
        batch.add(1, 10, 1)
    with pytest.raises(ValueError, match="0 prompt"):
        batch.add(2, 0, 1)
    with pytest.raises(ValueError, match="9 cached"):
        batch.add(2, 9, 1, 9)
    with pytest.raises(RuntimeError, match="end_step before"):
        batch.end_step()
    batch.begin_step()
    with pytest.raises(RuntimeError, match="begin_step before"):
        batch.begin_step()
