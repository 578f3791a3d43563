"""What is known of each node's paid time and prices, and what was spent: worked out from that when asked.

Facts are only added to, and any order of hearing them leaves the same rows: of two words on a price at one
time the one heard later stands.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select
from sqlalchemy.orm import Session

from bouted.errors import Gone
from bouted.ledger.charge import Account, as_decimal, charged_usd
from bouted.ledger.prices import PriceStep
from bouted.ledger.rules import SHIPPED, BillingRule, rule_for
from bouted.ledger.times import Life, runs
from bouted.market.billed import as_billed
from bouted.market.offers import Market, Offer
from bouted.reconcile.observe import NodeTimes
from bouted.store.billed import read_factors
from bouted.store.past_prices import past_prices
from bouted.store.session import Store
from bouted.store.tables import Nodes, SpendAccounts, SpendPrices, SpendTimes

_MICROSECOND = timedelta(microseconds=1)
_CLOCKS_APART = timedelta(days=2)
"""So far ahead of ours a provider's clock may be; a price from later on is misdated, and holds from now."""
LONGEST_ROUNDING = timedelta(days=1)
"""No provider bills by longer steps; `billing:` in the config allows none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpend:
    """Dollars one node cost in the time that was asked about."""

    node: str
    usd: Decimal


def spend_usd(
    store: Store, since: datetime, until: datetime, rules: tuple[BillingRule, ...] = SHIPPED
) -> Decimal:
    """Dollars spent from `since` to `until`; running nodes count up to `until`."""
    found = accounts_between(store, since, until)
    charged = (charged_usd(account, rule_for(account.provider, rules), since, until) for account in found)
    return as_decimal(sum(charged, Fraction(0)))


def spend_by_node(
    store: Store, since: datetime, until: datetime, rules: tuple[BillingRule, ...] = SHIPPED
) -> tuple[NodeSpend, ...]:
    """Dollars spent from `since` to `until` for each node that cost something then, sorted by name."""
    return tuple(
        NodeSpend(node=account.node, usd=as_decimal(usd))
        for account in accounts_between(store, since, until)
        if (usd := charged_usd(account, rule_for(account.provider, rules), since, until))
    )


def accounts_between(store: Store, since: datetime, until: datetime) -> tuple[Account, ...]:
    """The accounts of all nodes that may have cost from `since` to `until`, by name."""
    with store.reading() as session:
        return read_accounts(session, _may_overlap(since, until))


def billed_accounts_between(store: Store, since: datetime, until: datetime) -> tuple[Account, ...]:
    """The same at what clouds bill, where their bills were read: what caps are compared with."""
    which = _may_overlap(since, until)
    with store.reading() as session:
        accounts, factors = read_accounts(session, which), read_factors(session)
        own = _machines_of_ones_own(session, which, factors)
    return tuple(
        account.times(factors[account.provider])
        if account.provider in factors and account.node not in own
        else account
        for account in accounts
    )


def committed_usd_per_hour(store: Store) -> Decimal:
    """What is or may be paid now, at the newest prices."""
    with store.reading() as session:
        live = read_accounts(session, SpendAccounts.noticed_end.is_(None))
        return sum((account.usd_per_hour_now for account in live if account.open), Decimal(0))


def reprice(
    store: Store, node: str, usd_per_hour: Decimal, at: datetime, *, heard_at: datetime | None = None
) -> None:
    """From `at` on each instance of the node is quoted at this, however late that is heard; its offer says
    what is billed for the newest quote, so that caps count what is believed.

    Told twice, or in another order, it comes to the same. A node that never cost stays as it is.
    """
    with store.writing() as session:
        row = session.get(Nodes, node, with_for_update=True)
        if row is None or _account(session, node) is None:
            return
        said = _step(row, usd_per_hour, at, heard_at or at)
        newest = _newest_after(session, said)
        if (newest.at, newest.usd_per_hour) == (at, said.usd_per_hour):
            row.offer = _offer_at(session, row, usd_per_hour)


def believe_price(
    store: Store, node: str, usd_per_hour: Decimal, since: datetime | None, now: datetime
) -> None:
    """Each instance of the node is quoted at this now, and has been since then, as far as is known.

    `since` is by the provider's clock, as its bill is, and may be later than `now`. Where it contradicts what
    was believed later, the price holds from `now` on: belief wins, also after the clock was set back.
    """
    with store.writing() as session:
        row = session.get(Nodes, node, with_for_update=True)
        if row is None or _account(session, node) is None:
            return
        at = since if since is not None and since < now + _CLOCKS_APART else now
        newest = _newest_after(session, _step(row, usd_per_hour, at, now)).at
        if newest > at:
            _newest_after(session, _step(row, usd_per_hour, max(now, newest + _MICROSECOND), now))
        row.offer = _offer_at(session, row, usd_per_hour)


def correct_times(store: Store, times: Sequence[NodeTimes]) -> None:
    """Takes the providers' own word on when bills began and ended, also long after the nodes are gone.

    Gone, and nothing is written, when there is no such node.
    """
    if not times:
        return
    with store.writing() as session:
        for said in times:
            row = session.get(Nodes, said.name, with_for_update=True)
            if row is None:
                raise Gone(f"the store has no node {said.name}")
            note_times(session, row, said.started_at, said.ended_at)


def note_times(session: Session, row: Nodes, started_at: datetime | None, ended_at: datetime | None) -> None:
    """The same for a node's row. One that was not known to cost has cost when its provider says it ran."""
    account = _account(session, row.name)
    if account is None:
        if started_at is None:
            return
        start_paying(session, row, started_at, came_up=True)
        account = session.get_one(SpendAccounts, row.name)
        account.noticed_end = row.ended_at
    starts, ends = _starts(account) | {started_at}, {account.ended_at, ended_at}
    account.started_at = _known(min, account.started_at, started_at)
    account.restarted_at = _known(max, account.restarted_at, started_at)
    account.ended_at = _known(max, account.ended_at, ended_at)
    for began, left in ((True, starts - _starts(account)), (False, ends - {account.ended_at})):
        for at in left - {None}:
            session.merge(SpendTimes(node=row.name, at=at, began=began))
    row.launched_at = account.started_at or row.launched_at
    session.flush()


def start_paying(session: Session, row: Nodes, at: datetime, *, came_up: bool) -> None:
    """The node may cost from `at` on. One that was paid for before goes on from its start, so that a failed
    node which proves to run on leaves no gap. One that ran before its row said anything is counted at what
    its offer cost then."""
    account = _account(session, row.name)
    if account is not None:
        account.noticed_end, account.came_up = None, account.came_up or came_up
        return
    past = past_prices(session, row.offer.id, at) if at < row.since else ()
    first = past[0].usd_per_hour if past else row.offer.quoted
    session.add(
        SpendAccounts(
            node=row.name,
            provider=row.offer.provider,
            asked_at=at,
            started_at=None,
            restarted_at=None,
            noticed_end=None,
            ended_at=None,
            came_up=came_up,
            usd_per_hour=first * row.template.instances,
        )
    )
    session.flush()
    for price in past[1:]:
        _newest_after(session, _step(row, price.usd_per_hour, price.at, price.heard_at))


def note_up(session: Session, node: str) -> None:
    """The node was seen running: what it cost is owed, whatever becomes of it."""
    account = _account(session, node)
    if account is not None:
        account.came_up = True


def stop_paying(session: Session, node: str, at: datetime) -> None:
    """The node was first known to have ended at `at`."""
    account = _account(session, node)
    if account is not None and account.noticed_end is None:
        account.noticed_end = at


def read_accounts(session: Session, which: ColumnElement[bool]) -> tuple[Account, ...]:
    """The accounts that a condition on `SpendAccounts` selects, by name, with all their prices."""
    steps: defaultdict[str, list[PriceStep]] = defaultdict(list)
    prices = (
        select(SpendPrices.node, SpendPrices.at, SpendPrices.usd_per_hour)
        .join(SpendAccounts, SpendAccounts.node == SpendPrices.node)
        .where(which)
        .order_by(SpendPrices.node, SpendPrices.at)
    )
    for node, at, usd_per_hour in session.execute(prices):
        steps[node].append(PriceStep(at=at, usd_per_hour=usd_per_hour))
    rows = session.execute(select(*SpendAccounts.__table__.c).where(which).order_by(SpendAccounts.node))
    more = _more_times(session, which)
    return tuple(
        Account(
            node=row.node,
            provider=row.provider,
            life=_life(row, more.get(row.node, ())),
            usd_per_hour=row.usd_per_hour,
            steps=tuple(steps[row.node]),
        )
        for row in rows
    )


def _more_times(session: Session, which: ColumnElement[bool]) -> dict[str, list[SpendTimes]]:
    """What the accounts that `which` selects have no room for."""
    found: defaultdict[str, list[SpendTimes]] = defaultdict(list)
    rows = select(SpendTimes).join(SpendAccounts, SpendAccounts.node == SpendTimes.node).where(which)
    for row in session.scalars(rows):
        found[row.node].append(row)
    return dict(found)


def _life(row: Row[Any], more: Sequence[SpendTimes]) -> Life:
    """What is known of a node's paid time."""
    life = Life(
        asked_at=row.asked_at,
        started_at=row.started_at,
        restarted_at=row.restarted_at,
        noticed_end=row.noticed_end,
        ended_at=row.ended_at,
        came_up=row.came_up,
    )
    again = row.restarted_at is not None and row.restarted_at != row.started_at
    if not again or row.ended_at is None:
        return life
    starts = {row.started_at, row.restarted_at, *(word.at for word in more if word.began)}
    ends = {row.ended_at, *(word.at for word in more if not word.began)}
    *earlier, last = runs(starts, ends)
    return replace(life, started_at=last.start, earlier=tuple(earlier))


def _starts(account: SpendAccounts) -> set[datetime | None]:
    return {account.started_at, account.restarted_at}


def _may_overlap(since: datetime, until: datetime) -> ColumnElement[bool]:
    cutoff = since - LONGEST_ROUNDING
    begun = or_(SpendAccounts.asked_at < until, SpendAccounts.started_at < until)
    lasting = or_(
        SpendAccounts.noticed_end.is_(None),
        SpendAccounts.noticed_end > cutoff,
        SpendAccounts.ended_at > cutoff,
    )
    return begun & lasting


def _machines_of_ones_own(
    session: Session, which: ColumnElement[bool], clouds: Collection[str]
) -> frozenset[str]:
    """The nodes at these clouds that cost what the config says. An offer that cannot be read is none such."""
    if not clouds:
        return frozenset()
    rented = (
        select(Nodes.name, Nodes.offer)
        .join(SpendAccounts, SpendAccounts.node == Nodes.name)
        .where(which, SpendAccounts.provider.in_(clouds))
    )
    return frozenset(
        name
        for name, offer in session.execute(rented)
        if isinstance(offer, Offer) and offer.market is Market.OWNED
    )


def _account(session: Session, node: str) -> SpendAccounts | None:
    return session.get(SpendAccounts, node, with_for_update=True)


def _step(row: Nodes, usd_per_hour: Decimal, at: datetime, heard_at: datetime) -> SpendPrices:
    return SpendPrices(
        node=row.name, at=at, usd_per_hour=usd_per_hour * row.template.instances, heard_at=heard_at
    )


def _offer_at(session: Session, row: Nodes, usd_per_hour: Decimal) -> Offer:
    quoted = replace(row.offer, usd_per_hour=usd_per_hour, quoted_usd_per_hour=None)
    return as_billed(quoted, read_factors(session))


def _newest_after(session: Session, said: SpendPrices) -> SpendPrices:
    """Writes a price down, unless a later word on that time stands; gives the node's newest price."""
    known = session.get(SpendPrices, (said.node, said.at))
    if known is None:
        session.add(said)
    elif (known.heard_at, known.usd_per_hour) <= (said.heard_at, said.usd_per_hour):
        known.usd_per_hour, known.heard_at = said.usd_per_hour, said.heard_at
    session.flush()
    return session.scalars(
        select(SpendPrices).where(SpendPrices.node == said.node).order_by(SpendPrices.at.desc()).limit(1)
    ).one()


def _known(
    choose: Callable[[datetime, datetime], datetime], before: datetime | None, said: datetime | None
) -> datetime | None:
    return choose(before, said) if before is not None and said is not None else before or said
