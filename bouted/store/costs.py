"""What nodes cost, place by place: their accounts with what was rented and how it was cut."""

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bouted.ledger.charge import charges
from bouted.ledger.rules import SHIPPED, BillingRule, rule_for
from bouted.ledger.shares import CostLine, Cut, cost_lines
from bouted.ledger.times import paid_spans
from bouted.planner.planned import Template
from bouted.store.session import Store
from bouted.store.spend import accounts_between
from bouted.store.tables import Nodes, SpendCuts

_CHUNK = 500  # names in one question; databases bound how many


def costs_between(
    store: Store, since: datetime, until: datetime, rules: tuple[BillingRule, ...] = SHIPPED
) -> tuple[CostLine, ...]:
    """What every node cost from `since` to `until`, by place and price, in node order; sums to the spend."""
    found: list[CostLine] = []
    accounts = accounts_between(store, since, until)
    with store.reading() as session:
        for start in range(0, len(accounts), _CHUNK):
            chunk = accounts[start : start + _CHUNK]
            names = [account.node for account in chunk]
            rented = select(Nodes.name, Nodes.offer, Nodes.template).where(Nodes.name.in_(names))
            nodes = {name: (offer, template) for name, offer, template in session.execute(rented)}
            cuts = _cuts(session, names)
            for account in chunk:
                offer, template = nodes[account.node]
                rule = rule_for(account.provider, rules)
                found += cost_lines(
                    account.node,
                    offer,
                    charges(account, rule, since, until),
                    tuple(cuts[account.node]) or (Cut(at=account.life.asked_at, template=template),),
                    estimated=any(span.estimated for span in paid_spans(account.life, rule)),
                )
    return tuple(found)


def note_cut(session: Session, row: Nodes, template: Template, at: datetime) -> None:
    """From `at` on the node's money is spent for these places. Call it while the row has the cut before."""
    known = session.scalar(select(SpendCuts.at).where(SpendCuts.node == row.name).limit(1))
    if known is None:
        first = min(row.since, at - timedelta(microseconds=1))
        session.add(SpendCuts(node=row.name, at=first, template=row.template))
        session.flush()
    session.merge(SpendCuts(node=row.name, at=at, template=template))
    session.flush()


def _cuts(session: Session, names: list[str]) -> defaultdict[str, list[Cut]]:
    found: defaultdict[str, list[Cut]] = defaultdict(list)
    of_nodes = select(SpendCuts).where(SpendCuts.node.in_(names)).order_by(SpendCuts.node, SpendCuts.at)
    for row in session.scalars(of_nodes):
        found[row.node].append(Cut(at=row.at, template=row.template))
    return found
