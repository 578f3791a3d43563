"""One line that tells how far planning is, on stderr and only for people who watch."""

import sys

import click

from bouted.cli.columns import cut
from bouted.planner.design import Progress


class ProgressLine:
    """Rewrites its line in place; silent where stderr is not a terminal. Leave the `with` to clear it."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        if self._watched:
            click.echo(f"\r\x1b[K{cut(progress_text(progress), 79)}", nl=False, err=True)

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._watched:
            click.echo("\r\x1b[K", nl=False, err=True)


def progress_text(progress: Progress) -> str:
    """E.g. `planning: sweep 120 of 256, best $16.10/h, 3.2 s`."""
    best = "" if progress.best_usd_per_hour is None else f", best ${progress.best_usd_per_hour:,.2f}/h"
    done = f" {progress.done} of {progress.total}" if progress.total else ""
    return f"planning: {progress.stage}{done}{best}, {progress.seconds:.1f} s"
