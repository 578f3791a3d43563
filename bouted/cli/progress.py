"""One line that tells how far planning is, on stderr and only for people who watch."""

import sys

import click

from bouted.cli.columns import cut
from bouted.cli.units import share
from bouted.planner.design import Progress


class ProgressLine:
    """Rewrites its line in place; silent where stderr is not a terminal. Leave the `with` to clear it."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        self.show(progress_text(progress))

    def show(self, text: str) -> None:
        """Puts `text` in the place of what the line said."""
        if self._watched:
            click.echo(f"\r\x1b[K{cut(text, 99)}", nl=False, err=True)

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._watched:
            click.echo("\r\x1b[K", nl=False, err=True)


def progress_text(progress: Progress) -> str:
    """E.g. `planning: simulate 18 of 24, best $16.10/h, 4 % above the bound, 3.2 s, 40 s left`."""
    done = f" {progress.done} of {progress.total}" if progress.total else ""
    parts = [f"planning: {progress.stage}{done}"]
    best, bound = progress.best_usd_per_hour, progress.bound_usd_per_hour
    if best is not None:
        parts.append(f"best ${best:,.2f}/h")
    if best is not None and bound is not None and bound > 0:
        parts.append(f"{share(max(0.0, best / bound - 1))} above the bound")
    parts.append(f"{progress.seconds:.1f} s")
    if progress.deadline_s is not None:
        parts.append(f"{max(0.0, progress.deadline_s - progress.seconds):.0f} s left")
    return ", ".join(parts)
