"""A cloud's own bill against the ledger: the instances both know, over the time both know them for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from bouted.ledger.charge import Account, as_decimal, charged_usd
from bouted.ledger.rules import BillingRule, rule_for

MIN_HOURS = 1.0
"""Less matched time than this is too little to judge a cloud by."""

MIN_FACTOR, MAX_FACTOR = Decimal("0.2"), Decimal(5)
"""A bill further off than this is about something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """What a cloud asks for an instance in one stretch of time. `names` are its id, its name and its tags."""

    provider: str
    names: tuple[str, ...]
    start: datetime
    end: datetime
    usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What a cloud billed for the matched time, and what the ledger has for it.

    `hours` is of nodes, `since` and `until` what the matched lines span.
    """

    provider: str
    billed_usd: Decimal
    ledger_usd: Decimal
    nodes: int
    hours: float
    since: datetime
    until: datetime

    @property
    def factor(self) -> Decimal:
        """What is billed for each dollar of the ledger."""
        return (self.billed_usd / self.ledger_usd).quantize(Decimal("0.0001"))

    @property
    def doubt(self) -> str:
        """Why this says nothing about the cloud's prices; "" when it does."""
        if self.hours < MIN_HOURS:
            return f"only {self.hours:.2g} node-hours match, {MIN_HOURS:g} are needed"
        if self.ledger_usd <= 0:
            return "the ledger has these nodes at no cost"
        if not MIN_FACTOR <= self.factor <= MAX_FACTOR:
            return f"it is {self.factor:.3g} times the ledger, which is no matter of prices"
        return ""


@dataclass(slots=True)
class _Matched:
    usd: Decimal = Decimal(0)
    times: set[tuple[datetime, datetime]] = field(default_factory=set)


@dataclass(slots=True)
class Matching:
    """Takes a bill line by line and keeps only what it says about nodes of the ledger, however long it is."""

    accounts: Mapping[str, Account]
    matched: defaultdict[str, _Matched] = field(default_factory=lambda: defaultdict(_Matched))
    strangers: set[str] = field(default_factory=set)
    strangers_usd: Decimal = Decimal(0)

    def take(self, line: BillLine) -> None:
        """Counts a line for its node, or as a stranger's."""
        node = self._node(line)
        if node is None:
            self.strangers.add(line.names[0] if line.names else "")
            self.strangers_usd += line.usd
            return
        self.matched[node].usd += line.usd
        self.matched[node].times.add((line.start, line.end))

    def billed(self, rules: Iterable[BillingRule]) -> tuple[Billed, ...]:
        """What each cloud billed, by its name."""
        known = tuple(rules)
        providers = sorted({self.accounts[node].provider for node in self.matched})
        return tuple(self._of(provider, known) for provider in providers)

    def _of(self, provider: str, rules: tuple[BillingRule, ...]) -> Billed:
        nodes = [node for node in self.matched if self.accounts[node].provider == provider]
        times = [(node, stretch) for node in nodes for stretch in union(self.matched[node].times)]
        rule = rule_for(provider, rules)
        ledger = sum(
            (charged_usd(self.accounts[node], rule, start, end) for node, (start, end) in times), Fraction(0)
        )
        spans = [stretch for _, stretch in times]
        return Billed(
            provider=provider,
            billed_usd=sum((self.matched[node].usd for node in nodes), Decimal(0)),
            ledger_usd=as_decimal(ledger),
            nodes=len(nodes),
            hours=sum(((end - start) / timedelta(hours=1) for start, end in spans), 0.0),
            since=min(start for start, _ in spans),
            until=max(end for _, end in spans),
        )

    def _node(self, line: BillLine) -> str | None:
        """The node whose name the line carries, with what launchers append left out: the longest fit."""
        for name in line.names:
            while name:
                account = self.accounts.get(name)
                if account is not None and account.provider == line.provider:
                    return name
                name = name.rpartition("-")[0]
        return None


def union(times: Iterable[tuple[datetime, datetime]]) -> Sequence[tuple[datetime, datetime]]:
    """The stretches without overlap, in order."""
    joined: list[tuple[datetime, datetime]] = []
    for start, end in sorted(times):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
