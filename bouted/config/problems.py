"""What is wrong with a config file, as values: every problem at once, each on one line."""

from dataclasses import dataclass
from difflib import get_close_matches
from re import compile as pattern

from bouted.errors import Misconfigured

_UNIT = pattern(
    r"(_in)?_(n|u|m)?(s|secs?|seconds?|mins?|minutes?|h|hrs?|hours?|d|days?|pct|percent|usd|dollars|gib|gb"
    r"|per_(s|sec|second|min|minute|h|hour|day|week|month|year))$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend. `path` is dotted (`models[0].spec`), "" for the file as a whole."""

    path: str
    message: str
    hint: str = ""
    line: int | None = None

    def text(self, file: str) -> str:
        """One line for people, e.g. `bouted.yaml:7 targets.ttft_p95_s: unknown key (did you mean ...?)`."""
        where = file if self.line is None else f"{file}:{self.line}"
        said = f"{self.path}: {self.message}" if self.path else self.message
        return f"{where} {said} ({self.hint})" if self.hint else f"{where} {said}"


class ConfigErrors(Misconfigured):
    """A config file that cannot be used. `problems` holds all that was found; str is one line for each."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        if not problems:
            raise ValueError("ConfigErrors needs at least one problem")
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(file, f"{count} in the config", hint=problems[0].hint)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(problem.text(self.path) for problem in self.problems)


def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """`did you mean x?` for the nearest of `known`, also when only the unit differs; "" when none is near."""
    names = {name.lower(): name for name in known}
    stem = _UNIT.sub("", word.lower())
    siblings = [name for name in names if _UNIT.sub("", name) == stem]
    close = get_close_matches(word.lower(), siblings, n=1, cutoff=0.0)
    close = close or get_close_matches(word.lower(), list(names), n=1, cutoff=0.6)
    return f"did you mean {names[close[0]]}?" if close else ""
