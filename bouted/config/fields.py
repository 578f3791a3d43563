"""Field types of the config: plain numbers whose unit is in the key, names, files, enums.

Each refuses in words that name what was wanted. What a check needs from outside the file (its folder, the
catalog's names) comes in as a `Surroundings` in pydantic's validation context.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from re import compile as pattern
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from bouted.config.problems import did_you_mean

_NUMBER = pattern(r"\s*[$~]?\s*(?P<number>[-+]?[0-9]+(\.[0-9]+)?)\s*(?P<unit>\S*)\s*$")
_SECRET = pattern(r"(^|_)(url|webhook|secret|password|token|key|keys|dsn)(_file)?$")
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "min": Decimal(60), "h": Decimal(3600)}
_UNITS = (
    ("usd_per_hour", "US dollars an hour"),
    ("usd_per_month", "US dollars a month"),
    ("usd_per_gib", "US dollars a GiB"),
    ("_gib", "GiB"),
    ("_gb_per_s", "10^9 bytes a second"),
    ("_tflops", "10^12 FLOP a second"),
    ("per_s", "queries a second"),
    ("_ms", "milliseconds"),
    ("_s", "seconds"),
    ("_minutes", "minutes"),
    ("_hours", "hours"),
    ("_pct", "percent"),
    ("_tokens", "tokens"),
)
_KEY_SECONDS = (("_ms", "ms"), ("_s", "s"), ("_minutes", "min"), ("_hours", "h"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a file is checked against. None means "not known here": that check is left out."""

    folder: Path = Path()
    models: tuple[str, ...] | None = None
    gpus: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    launchers: tuple[str, ...] | None = None


def surroundings(info: ValidationInfo) -> Surroundings:
    """The validation's `Surroundings`, or bare ones."""
    return info.context if isinstance(info.context, Surroundings) else Surroundings()


def refusal(message: str, hint: str = "", *, key: str = "") -> PydanticCustomError:
    """An error that says `message`; `key` names the key inside the section that it is about."""
    return PydanticCustomError("refused", "{message}", {"message": message, "hint": hint, "key": key})


def shown(value: Any, key: str = "") -> str:
    """`value` as an error may show it: short, and never where the key may hold a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | tuple | list):
        return "a list" if isinstance(value, tuple | list) else "a section"
    if _SECRET.search(key):
        return "a value not shown here"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def unit_of(key: str) -> str:
    """What numbers under `key` count, "" where the name does not say."""
    return next((unit for suffix, unit in _UNITS if key.endswith(suffix)), "")


def _number(value: Any, info: ValidationInfo) -> Decimal:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Decimal(str(value))
    key = info.field_name or ""
    unit = unit_of(key)
    wanted = f"must be a plain number of {unit}" if unit else "must be a plain number"
    raise refusal(f"{wanted}, got {shown(value, key)}", _rewrite(value, key, unit))


def _rewrite(value: Any, key: str, unit: str) -> str:
    """How to write `value` instead: converted where its unit is a time's, as it is where it has none."""
    found = _NUMBER.match(value) if isinstance(value, str) else None
    if found is None:
        return ""
    number, written = Decimal(found["number"]), found["unit"].lower()
    own = next((name for suffix, name in _KEY_SECONDS if key.endswith(suffix) and "_per_" not in key), "")
    if own and written in _SECONDS:
        number = number * _SECONDS[written] / _SECONDS[own]
        return f"write {number.normalize():f}, the unit is in the key's name"
    if written:
        return f"the key's name gives the unit: {unit}" if unit else "leave the unit out"
    return f"write {number} without quotes"


def _as_float(value: Any, info: ValidationInfo) -> float:
    return float(_number(value, info))


def _as_share(value: Any, info: ValidationInfo) -> float:
    number = _number(value, info)
    if not 0 <= number <= 1:
        hint = f"write {(number / 100).normalize():f}" if 1 < number <= 100 else ""
        raise refusal(f"must be between 0 and 1, got {shown(value)}", hint)
    return float(number)


def _as_decimal(value: Any, info: ValidationInfo) -> Decimal:
    number = _number(value, info)
    if number.is_finite() and abs(number.adjusted()) < 12:
        return Decimal(f"{number.normalize():f}")
    return number


def _as_int(value: Any, info: ValidationInfo) -> int:
    number = _number(value, info)
    if abs(number.adjusted()) > 18 or number != number.to_integral_value():
        raise refusal(f"must be a whole number, got {shown(value)}")
    return int(number)


def _as_name(longest: int) -> Callable[[Any], str]:
    form = pattern(rf"[a-z0-9]([a-z0-9-]{{0,{longest - 1}}})\Z")

    def check(value: Any) -> str:
        if isinstance(value, str) and form.match(value):
            return value
        raise refusal(f"must be 1 to {longest} of a-z, 0-9 and -, got {shown(value)}")

    return check


def _as_text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise refusal(f"must be text, got {shown(value)}", "put it in quotes" if isinstance(value, int) else "")


def one_of(kind: type[StrEnum]) -> BeforeValidator:
    """A field that holds one of `kind`'s values."""
    known = tuple(member.value for member in kind)

    def check(value: Any) -> StrEnum:
        if isinstance(value, kind) or (isinstance(value, str) and value in known):
            return kind(value)
        near = did_you_mean(value, known) if isinstance(value, str) else ""
        raise refusal(f"must be one of {', '.join(known)}, got {shown(value)}", near)

    return BeforeValidator(check)


def known_name(what: str, known: tuple[str, ...] | None, value: str, otherwise: str = "") -> str:
    """`value`, refused unless it is one of `known` (None: not checked); `otherwise` is what else may do."""
    if known is None or value in known:
        return value
    hint = did_you_mean(value, known) or f"known: {', '.join(known[:12]) or 'none'}"
    raise refusal(f"no {what} is named {shown(value)}", f"{hint} {otherwise}".strip())


def absolute(text: str, folder: Path) -> Path:
    """`text` as a path, taken from the config file's folder where it is relative."""
    path = Path(text).expanduser() if text.startswith("~/") else Path(text)
    return path if path.is_absolute() else (folder / path).absolute()


def _as_path(value: Any, info: ValidationInfo) -> Path:
    return value if isinstance(value, Path) else absolute(_as_text(value), surroundings(info).folder)


def _as_file(value: Any, info: ValidationInfo) -> Path:
    if isinstance(value, str) and "://" in value:
        raise refusal(
            "must name a file that holds the URL, not the URL itself", "secrets stay out of this file"
        )
    path = _as_path(value, info)
    try:
        found = path.is_file()
    except OSError as error:
        raise refusal(f"cannot be looked up: {error.strerror}") from error
    if not found:
        raise refusal(f"there is no file {shown(str(value))}", f"looked in {path.parent}")
    return path


Real = Annotated[float, BeforeValidator(_as_float), Field(allow_inf_nan=False)]
Usd = Annotated[Decimal, BeforeValidator(_as_decimal), Field(ge=0, le=10_000_000)]
Whole = Annotated[int, BeforeValidator(_as_int)]
Text = Annotated[str, BeforeValidator(_as_text)]
ShortName = Annotated[str, BeforeValidator(_as_name(16))]
Name = Annotated[str, BeforeValidator(_as_name(31))]
AnyPath = Annotated[Path, BeforeValidator(_as_path)]
ExistingFile = Annotated[Path, BeforeValidator(_as_file)]
Positive = Annotated[Real, Field(gt=0)]
Share = Annotated[float, BeforeValidator(_as_share)]
Seconds = Annotated[Real, Field(gt=0, le=30 * 86400)]
Span = Annotated[Real, Field(ge=0, le=30 * 86400)]
