"""What config sections share: the strict base and plug-in options."""

from decimal import Decimal
from re import compile as pattern
from typing import Any

from pydantic import BaseModel, ConfigDict

from bouted.config.fields import refusal

_SECRET_OPTION = pattern(r"(^|_)(key|token|password|secret|webhook)$")


class Section(BaseModel):
    """Base of every section: unknown keys and loose types are errors, values never change."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def plain(value: Any) -> Any:
    """Options as plug-ins get them: lists, dicts, text, bool, int and float."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def plugin_options(options: Any, under: str = "") -> Any:
    """Options for a plug-in; refused where one would hold a secret itself."""
    if not isinstance(options, dict):
        return options
    for key in options:
        if _SECRET_OPTION.search(str(key).lower()):
            raise refusal(
                "secrets stay out of this file", f"put it in a file and use {key}_file", key=f"{under}{key}"
            )
    return plain(options)
