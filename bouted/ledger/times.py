"""When a node was paid for: from what was asked, seen and told to a span of time, and its billed end."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bouted.ledger.rules import BillingRule

_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Run:
    """One machine under a node's name, by its provider's word; `end` is None while none was told."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What is known of the time a node was paid for.

    `asked_at` is when it may first have cost, `noticed_end` when it was first known to have ended.
    `started_at` and `ended_at` are the provider's own word, which wins. `came_up`: it was seen running
    at least once. `restarted_at` is the latest start that the provider told of: where that is after its end,
    another machine runs under the name. `earlier` are the machines before that one; `started_at` is its own
    start then.
    """

    asked_at: datetime
    started_at: datetime | None = None
    restarted_at: datetime | None = None
    noticed_end: datetime | None = None
    ended_at: datetime | None = None
    came_up: bool = False
    earlier: tuple[Run, ...] = ()

    @property
    def said_end(self) -> datetime | None:
        """The provider's end, unless it told of a later start."""
        again = self.restarted_at
        return (
            None
            if again is not None and self.ended_at is not None and again > self.ended_at
            else self.ended_at
        )

    @property
    def ran(self) -> bool:
        """Whether it cost, or still may: a launch that ended without ever coming up did not."""
        return self.came_up or self.started_at is not None or self.noticed_end is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Paid time; `end` is None while it goes on. An estimate is an edge that no provider has confirmed."""

    start: datetime
    end: datetime | None
    start_estimated: bool
    end_estimated: bool

    @property
    def estimated(self) -> bool:
        """Whether either edge is an estimate."""
        return self.start_estimated or self.end_estimated


def runs(starts: Collection[datetime], ends: Collection[datetime]) -> tuple[Run, ...]:
    """The machines that these words of a provider tell of, in order. Of starts that no end parts the first
    counts, of ends that no start parts the last."""
    found: list[Run] = []
    for at, began in sorted([(at, False) for at in ends] + [(at, True) for at in starts]):
        if began and (not found or found[-1].end is not None):
            found.append(Run(at, None))
        elif not began and found:
            found[-1] = Run(found[-1].start, at)
    return tuple(found)


def paid_spans(life: Life, rule: BillingRule) -> tuple[Span, ...]:
    """The times the node was used for money, one for each machine that it was. Where stopping does not stop
    the bill it may have been one that was stopped and started again: that is one time."""
    last = paid_span(life, rule)
    if last is None:
        return ()
    if not life.earlier:
        return (last,)
    if rule.stopped_billed:
        return (replace(last, start=life.earlier[0].start),)
    before = (
        Span(start=r.start, end=r.end, start_estimated=False, end_estimated=False) for r in life.earlier
    )
    return (*before, last)


def paid_span(life: Life, rule: BillingRule) -> Span | None:
    """The time the node's last machine was used for money; None when it cost nothing. It never ends before it
    starts.

    Where stopping does not stop the bill, the provider's end counts only once the node is known to be gone.
    """
    if not life.ran:
        return None
    start = life.started_at or life.asked_at
    said = life.said_end
    end = said or life.noticed_end
    if rule.stopped_billed and said is not None:
        end = max(said, life.noticed_end) if life.noticed_end is not None else None
    return Span(
        start=start,
        end=max(start, end) if end is not None else None,
        start_estimated=life.started_at is None,
        end_estimated=end is not None and end != said,
    )


def billed_until(span: Span, rule: BillingRule, now: datetime) -> datetime:
    """To when the span is billed: its end, or `now` while it goes on, after the provider's rounding up.

    A node that never ran for a moment is not billed at all.
    """
    end = span.end if span.end is not None else max(now, span.start)
    used_us = (end - span.start) // _US
    if used_us == 0:
        return span.start
    step_us = rule.granularity_s * 1_000_000
    billed_us = -(-used_us // step_us) * step_us if step_us else used_us
    return span.start + timedelta(microseconds=max(billed_us, rule.minimum_s * 1_000_000))
