"""Options of a price source, read strictly: unknown keys and wrong kinds are the config's errors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bouted.errors import Misconfigured

PATH = "prices.sources"


class Options:
    """The options of one source. Each is asked for once by name; `close` refuses what nobody asked for."""

    def __init__(self, source: str, options: Mapping[str, Any]) -> None:
        self._source = source
        self._left = dict(options)
        self._asked: list[str] = []

    def text(self, key: str, default: str) -> str:
        """A text, not empty where the default is not."""
        value = self._take(key, default)
        if not isinstance(value, str) or (default and not value):
            raise self._wrong(key, f"must be text, got {value!r}")
        return value

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts; it may be empty."""
        value = self._take(key, list(default))
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self._wrong(key, f"must be a list of texts, got {value!r}")
        return tuple(value)

    def number(self, key: str, default: float, *, least: float = 0.0) -> float:
        """A number of at least `least`."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e12:
            raise self._wrong(key, f"must be a number of at least {least:g}, got {value!r}")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, f"must be true or false, got {value!r}")
        return value

    def file(self, key: str, folder: Path) -> Path | None:
        """A path taken from `folder` where it is relative; None where it is not given."""
        value = self.text(key, "")
        return folder / Path(value).expanduser() if value else None

    def close(self) -> None:
        """Misconfigured when there are options that were not asked for."""
        if self._left:
            known = ", ".join(self._asked) or "none"
            raise self._wrong(min(self._left), "no such option", hint=f"options of {self._source}: {known}")

    def _take(self, key: str, default: Any) -> Any:
        self._asked.append(key)
        return self._left.pop(key, default)

    def _wrong(self, key: str, message: str, *, hint: str = "") -> Misconfigured:
        return Misconfigured(f"{PATH}.{self._source}.{key}", message, hint=hint)
