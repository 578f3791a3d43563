"""A router's worth as a screen and as a document. Pure."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from bouted.cli.columns import columns, paragraph
from bouted.cli.units import count, share
from bouted.quality.report import Interval, RouterReport

RANGE = "90 % RANGE"


def screen(report: RouterReport, file: Path | None) -> list[str]:
    """The whole text. Ranges are bootstrap intervals over prompts."""
    made = " that nobody measured" if report.synthetic else ""
    how = "out of fold" if file is None else f"by {file}, which should not have seen them"
    rule = "a price per model" if report.prices else "one score"
    alone = zip(report.models, report.alone, strict=True)
    return [
        f"{count(report.prompts, 'prompt')}{made}, judged {how}; queries go by {rule}",
        "",
        *columns([("MODEL", "ALONE", RANGE), *((m, _3(i.value), _ends(i)) for m, i in alone)]),
        "",
        *_shares(report),
        "",
        *paragraph("router gain", f"{_signed(report.router_gain)}: quality above lots, over all splits"),
        *_auc(report),
        *paragraph("so", _verdict(report)),
    ]


def document(report: RouterReport) -> dict[str, Any]:
    """The document, ready for JSON. Keys are only ever added."""
    return asdict(report)


def _shares(report: RouterReport) -> list[str]:
    rows = [("SHARES", "ROUTER", RANGE, "LOTS", "ORACLE", "ROUTER - LOTS", RANGE)]
    rows += [
        (
            " ".join(share(part) for part in at.shares),
            _3(at.router.value),
            _ends(at.router),
            _3(at.lot),
            _3(at.oracle),
            f"{at.gain.value:+.3f}",
            _ends(at.gain),
        )
        for at in report.at
    ]
    return columns(rows)


def _auc(report: RouterReport) -> list[str]:
    if report.auc is None:
        return []
    first, last = report.models[0], report.models[-1]
    text = f"{_3(report.auc.value)} ({_ends(report.auc)}): tells where {first} fails and {last} does not"
    return paragraph("AUC", f"{text}; 0.5 is a coin")


def _verdict(report: RouterReport) -> str:
    if report.router_gain.low > 0:
        return "the router beats lots"
    if report.router_gain.high < 0:
        return "lots beat the router: these evals mislead it"
    return "nothing shows that the router beats lots; more prompts, or others, may"


def _signed(found: Interval) -> str:
    return f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def _ends(found: Interval) -> str:
    return f"{found.low:.3f} to {found.high:.3f}"


def _3(value: float) -> str:
    return f"{value:.3f}"
