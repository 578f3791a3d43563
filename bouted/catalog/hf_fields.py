"""The fields of a `config.json`, read by type; what is missing or odd is named in one line."""

from dataclasses import dataclass
from typing import Any

from bouted.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """`values` of the object at `under` in `file`. Absent and null are the same."""

    file: str
    values: dict[str, Any]
    under: str = ""

    def count(self, *names: str, default: int | None = None) -> int:
        """The first of `names` that is there, a whole number above 0; Misconfigured without a default."""
        for name in names:
            value = self.values.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise self.wrong(f"{self.under}{name} must be a whole number above 0, got {value!r}")
            return value
        if default is None:
            raise self.wrong(f"{self.under}{names[0]} is missing")
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(f"{self.under}{name} must be true or false, got {value!r}")
        return default if value is None else value

    def has(self, *names: str) -> bool:
        """Whether any of `names` is there and not 0."""
        return any(self.values.get(name) for name in names)

    def inner(self, name: str) -> "Fields":
        """The object at `name`."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self.wrong(f"{self.under}{name} must be an object")
        return Fields(file=self.file, values=value, under=f"{self.under}{name}.")

    def wrong(self, message: str, hint: str = "") -> Misconfigured:
        """An error about this file."""
        return Misconfigured(self.file, message, hint=hint)
