"""A few colours for terminals, laid over plain lines; text stays the same without them."""

import click

_VERDICTS = {"OK": "green", "STARTING": "yellow", "CONVERGING": "yellow", "PAUSED": "yellow"}
_LABELS = {"DAEMON": "red", "NOTE": "yellow", "PAUSED": "yellow", "CONFIG": "red", "PRICES": "yellow"}
_ALARMS = ("  OVER by ", "  BELOW by ", " failed ", "PAGE: ")


def coloured(lines: list[str]) -> list[str]:
    """The status screen with its verdict, its warnings and what is out of bounds in colour."""
    return [_verdict(line) if at == 0 else _line(line) for at, line in enumerate(lines)]


def _verdict(line: str) -> str:
    head, gap, rest = line.partition("  ")
    word = head.partition(": ")[2]
    return click.style(head, fg=_VERDICTS.get(word, "red"), bold=True) + gap + rest


def _line(line: str) -> str:
    label = line.partition(" ")[0]
    if label in _LABELS:
        return click.style(label, fg=_LABELS[label], bold=True) + line[len(label) :]
    if any(alarm in line for alarm in _ALARMS):
        return click.style(line, fg="red")
    return line
