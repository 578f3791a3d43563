"""A cloud's bill against the ledger, as lines and as JSON. Pure."""

from typing import Any

from bouted.cli.columns import columns, paragraph
from bouted.cli.units import count, usd
from bouted.ledger.bills import Billed, Matching


def bill_screen(file: str, billed: tuple[Billed, ...], matching: Matching) -> list[str]:
    """What matched and what that says of each cloud, then what did not match."""
    if not billed:
        hint = "is it of this deployment's account and time, with resource ids or tags?"
        return [f"{file}: no line is about a node of the ledger", f"hint: {hint}", *_strangers(matching)]
    head = ("CLOUD", "NODES", "NODE-HOURS", "FROM (UTC)", "TO (UTC)", "BILLED", "LEDGER", "FACTOR")
    rows = [_cells(one) for one in billed]
    told = [line for one in billed for line in _verdict(one)]
    return [*columns([head, *rows], right=frozenset({1, 2, 5, 6, 7})), "", *told, *_strangers(matching)]


def bill_document(billed: tuple[Billed, ...], matching: Matching) -> dict[str, Any]:
    """The same for JSON; dollars are decimal strings."""
    return {
        "clouds": [
            {
                "provider": one.provider,
                "nodes": one.nodes,
                "node_hours": one.hours,
                "since": one.since.isoformat(),
                "until": one.until.isoformat(),
                "billed_usd": str(one.billed_usd),
                "ledger_usd": str(one.ledger_usd),
                "factor": str(one.factor) if one.ledger_usd else None,
                "used": not one.doubt,
                "doubt": one.doubt,
            }
            for one in billed
        ],
        "unmatched": {"instances": len(matching.strangers), "usd": str(matching.strangers_usd)},
    }


def _cells(one: Billed) -> tuple[str, ...]:
    span = (f"{one.since:%Y-%m-%d %H:%M}", f"{one.until:%Y-%m-%d %H:%M}")
    factor = f"{one.factor:.3f}" if one.ledger_usd else "-"
    amounts = (usd(one.billed_usd), usd(one.ledger_usd), factor)
    return (one.provider, str(one.nodes), f"{one.hours:,.1f}", *span, *amounts)


def _verdict(one: Billed) -> list[str]:
    if one.doubt:
        return paragraph(one.provider, f"not used: {one.doubt}")
    return paragraph(
        one.provider, f"from the next plan on its prices count {one.factor:.3f} times what is quoted"
    )


def _strangers(matching: Matching) -> list[str]:
    if not matching.strangers:
        return []
    others = f"{count(len(matching.strangers), 'instance')} for {usd(matching.strangers_usd)}"
    return paragraph("left out", f"{others} that the ledger does not know: not launched by this deployment")
