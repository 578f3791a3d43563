"""Gathers an answer row by row: one quote per offer, and every row that says otherwise named."""

from collections.abc import Iterable

from bouted.market.quotes import Answer, Quote, Row, Unread


class Gathered:
    """An answer in the making. Where rows speak twice of one offer the first holds; the others are unread."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._quotes: dict[str, Quote] = {}
        self._unread: list[Unread] = []

    def quote(self, quote: Quote, *, where: str = "") -> None:
        """Take a quote; a second one of the same offer that claims the same is passed over."""
        first = self._quotes.setdefault(quote.id, quote)
        if first is not quote and _claim(first) != _claim(quote):
            told = f"{where}{quote.id} again at {quote.price}; the first row, at {first.price}, holds"
            self.refuse(quote.row, told)

    def quotes(self, quotes: Iterable[Quote]) -> None:
        """Take several."""
        for quote in quotes:
            self.quote(quote)

    def refuse(self, row: Row, reason: str) -> None:
        """Take a row that cannot be read, once."""
        if not self._unread or self._unread[-1].row != row:
            self._unread.append(Unread(source=self._source, row=row, reason=reason))

    def take(self, answer: Answer) -> None:
        """Take everything in `answer` but its gaps."""
        self.quotes(answer.quotes)
        self._unread += answer.unread

    def answer(self, gaps: tuple[str, ...] = ()) -> Answer:
        """What was gathered."""
        return Answer(quotes=tuple(self._quotes.values()), unread=tuple(self._unread), gaps=gaps)


def _claim(quote: Quote) -> tuple[object, ...]:
    return quote.gpu, quote.gpu_count, quote.price, quote.currency


def shown(text: str) -> str:
    """`text` fit for a terminal and a database: what cannot be printed is spelled out."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
