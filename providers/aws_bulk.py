"""On-demand prices out of the offer files that AWS publishes: one CSV per region, read as it comes."""

import csv
from collections.abc import Iterator
from datetime import datetime
from time import monotonic

import httpx

from bouted.errors import BoutedError, Retryable, SourceFailed
from bouted.market.quotes import Unread

from .aws_listed import Listed, PriceList, wanted_type
from .aws_read import moment_of, price_of, row_of

BULK_URL = "https://pricing.us-east-1.amazonaws.com"
_PATH = "/offers/v1.0/aws/AmazonEC2/current/{region}/index.csv"
_MOST_LINE = 1 << 20  # characters; a line of the file has some thousands
_PREAMBLE = 20  # lines before the column names, at most; there are five
_WANTED = {
    "TermType": ("OnDemand",), "Tenancy": ("Shared",), "Operating System": ("Linux",), "Unit": ("Hrs",),
    "CapacityStatus": ("Used",), "MarketOption": ("OnDemand",), "Pre Installed S/W": ("", "NA"),
}  # fmt: skip
_SHOWN = ("SKU", "Region Code", "Instance Type", "GPU", "PricePerUnit", "Currency", "EffectiveDate")
_NEEDED = {*_WANTED, *_SHOWN} - {"SKU", "EffectiveDate"}


def ask_offer_file(
    url: str,
    region: str,
    types: tuple[str, ...],
    source: str,
    now: datetime,
    *,
    timeout_s: float,
    until: float,
) -> tuple[PriceList, BoutedError | None]:
    """A region's list prices of these types, and why some may be missing; never the whole file in memory."""
    listed: list[Listed] = []
    unread: list[Unread] = []
    problem: BoutedError | None = None
    try:
        for cells in _rows(_lines(url + _PATH.format(region=region), timeout_s, until), region):
            found = _read(cells, region, types)
            if isinstance(found, Listed):
                listed.append(found)
            elif found:
                unread.append(Unread(source=source, row=_shown(cells), reason=found))
    except BoutedError as error:
        problem = error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = SourceFailed(f"{region}: the offer file: {type(error).__name__} {error}".split("\n")[0])
    except (csv.Error, ValueError) as error:
        problem = SourceFailed(f"{region}: the offer file is no CSV: {error}".split("\n")[0])
    return PriceList(region=region, at=now, listed=tuple(listed), unread=tuple(unread)), problem


def _lines(url: str, timeout_s: float, until: float) -> Iterator[str]:
    """The lines of the file, one at a time."""
    waiting = ""
    timeout = httpx.Timeout(timeout_s, connect=min(5.0, timeout_s))
    with httpx.stream("GET", url, timeout=timeout, follow_redirects=True) as response:
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Retryable("the offer file: AWS says slow down", after_s=60.0)
        if response.status_code != httpx.codes.OK:
            raise SourceFailed(f"the offer file: status {response.status_code}")
        for text in response.iter_text():
            *whole, waiting = (waiting + text).split("\n")
            yield from whole
            if len(waiting) > _MOST_LINE:
                raise SourceFailed("the offer file: a line without end")
            if monotonic() > until:
                raise SourceFailed("the offer file did not come in time")
    yield waiting


def _rows(lines: Iterator[str], region: str) -> Iterator[dict[str, str]]:
    """The on-demand rows, by column. Most rows are of reserved machines and are not even taken apart."""
    for _, line in zip(range(_PREAMBLE), lines, strict=False):
        names = next(csv.reader([line]), [])
        if set(names) >= _NEEDED:
            break
    else:
        raise SourceFailed(f"{region}: the offer file has no line of column names that are known")
    for line in lines:
        if "OnDemand" in line:
            cells = next(csv.reader([line]), [])
            whole = len(cells) >= len(names)
            yield dict(zip(names, cells if whole else cells[:-1], strict=False))  # the last may be cut short


def _read(cells: dict[str, str], region: str, types: tuple[str, ...]) -> Listed | str | None:
    """The price; None for what was not asked for; what is wrong with the row, in a line."""
    if any(cells.get(column, values[0]) not in values for column, values in _WANTED.items()):
        return None
    if not wanted_type(instance_type := cells.get("Instance Type", ""), types):
        return None
    if not cells.keys() >= _NEEDED:
        return "a row that ends too early"
    if cells["Region Code"] != region:
        return f"not of {region}"
    price, currency = price_of(cells["PricePerUnit"]), cells["Currency"]
    if price is None or not currency:
        return "no price, or one that is no number"
    return Listed(
        instance_type=instance_type,
        gpus=cells["GPU"],
        price=price,
        currency=currency,
        since=moment_of(cells.get("EffectiveDate", "")),
        row=_shown(cells),
    )


def _shown(cells: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return row_of({column: cells[column] for column in _SHOWN if column in cells})
