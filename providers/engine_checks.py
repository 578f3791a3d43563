"""Checks options one by one and keeps every problem, so that a person mends them all at once."""

import re
from collections.abc import Mapping

from bouted.config.problems import Problem, did_you_mean

_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!_-]*")
_BUCKET = re.compile(r"(s3|gs)://[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9._=-]+)*/?")
_FOLDER = re.compile(r"(/[A-Za-z0-9._@+-]+)+/?")


class OptionChecks:
    """The options of one section. Each is asked for by name; a wrong one gives its default and a problem."""

    def __init__(self, options: object, path: str) -> None:
        self._path = path
        self._problems: list[Problem] = []
        self._asked: list[str] = []
        self._options: Mapping[str, object] = {}
        if isinstance(options, Mapping):
            self._options = options
        else:
            self._problems.append(Problem(path=path, message=f"must be a section of keys, got {options!r}"))

    def problems(self) -> tuple[Problem, ...]:
        """All that was found, unknown keys last; to be asked once every known key was."""
        known = tuple(self._asked)
        unknown = [str(key) for key in self._options if key not in known]
        return (
            *self._problems,
            *(
                Problem(
                    path=f"{self._path}.{key}",
                    message="no such option",
                    hint=did_you_mean(key, known) or f"options: {', '.join(known)}",
                )
                for key in sorted(unknown)
            ),
        )

    def section(self, key: str) -> object:
        """Another section, to be checked by itself; empty unless given."""
        return self._take(key, {})

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty unless given."""
        value = self._take(key, [])
        if isinstance(value, list | tuple) and all(isinstance(one, str) and one for one in value):
            return tuple(value)
        self._wrong(key, f"must be a list of texts, got {value!r}", "like [--flag, value]")
        return ()

    def version(self, key: str, default: str) -> str:
        """A version number as text."""
        value = self._take(key, default)
        if isinstance(value, str) and _VERSION.fullmatch(value):
            return value
        self._wrong(key, f"must be a version as text, got {value!r}", f'like "{default}"')
        return default

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        """One of these texts; the first unless given."""
        value = self._take(key, choices[0])
        if isinstance(value, str) and value in choices:
            return value
        near = did_you_mean(value, choices) if isinstance(value, str) else ""
        self._wrong(key, f"must be {' or '.join(choices)}, got {value!r}", near)
        return choices[0]

    def whole(self, key: str, default: int, *, most: int) -> int:
        """A whole number of 0 to `most`."""
        value = self._take(key, default)
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most:
            return number
        self._wrong(key, f"must be a whole number of 0 to {most}, got {value!r}")
        return default

    def number(self, key: str, default: float, *, least: float, most: float) -> float:
        """A number of `least` to `most`."""
        value = self._take(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
            return float(value)
        self._wrong(key, f"must be a number of {least:g} to {most:g}, got {value!r}")
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """true or false."""
        value = self._take(key, default)
        if isinstance(value, bool):
            return value
        self._wrong(key, f"must be true or false, got {value!r}")
        return default

    def place(self, key: str) -> str:
        """An absolute folder or a bucket's URL, without a slash at its end; "" unless given."""
        value = self._take(key, "")
        if value == "" or (isinstance(value, str) and (_BUCKET.fullmatch(value) or _FOLDER.fullmatch(value))):
            return str(value).rstrip("/")
        self._wrong(
            key,
            f"must be an absolute folder, s3://... or gs://..., got {value!r}",
            "like s3://bucket/weights",
        )
        return ""

    def folder(self, key: str) -> str:
        """The absolute path of a folder, which need not exist; "" unless given."""
        value = self._take(key, "")
        if isinstance(value, str) and (value == "" or value.startswith("/")):
            return value
        self._wrong(key, f"must be the absolute path of a folder, got {value!r}")
        return ""

    def file(self, key: str) -> str:
        """The absolute path of a file, which need not be there now; "" unless given."""
        value = self._take(key, "")
        if isinstance(value, str) and (value == "" or value.startswith("/")):
            return value
        self._wrong(key, f"must be the absolute path of a file, got {value!r}")
        return ""

    def _take(self, key: str, default: object) -> object:
        self._asked.append(key)
        return self._options.get(key, default)

    def _wrong(self, key: str, message: str, hint: str = "") -> None:
        self._problems.append(Problem(path=f"{self._path}.{key}", message=message, hint=hint))


def no_text(file: str, path: str) -> Problem | None:
    """What is wrong with an option's file that must hold some text; None when it does."""
    try:
        with open(file, encoding="utf-8") as text:
            said = "" if text.read().strip() else f"{file} is empty"
    except OSError as error:
        hint = "check the path and who may read it"
        return Problem(path=path, message=f"{file} cannot be read: {error.strerror}", hint=hint)
    except UnicodeDecodeError:
        said = f"{file} holds no text"
    return Problem(path=path, message=said) if said else None
