"""The commands, in the order that help lists them. A module is imported only when its command runs.

Each command lives in the module of its name and imports what is heavy (the store, the planner) inside its
function: `bouted status` stays quick because nothing else is loaded.
"""

from importlib import import_module

import click

COMMANDS: tuple[str, ...] = (
    "check",
    "plan",
    "why",
    "pareto",
    "apply",
    "run",
    "gateway",
    "status",
    "logs",
    "ssh",
    "history",
    "cost",
    "prices",
    "perf",
    "router",
    "doctor",
    "pause",
    "resume",
    "down",
    "reap",
    "adopt",
    "backup",
    "restore",
    "demo",
    "version",
)


class CommandGroup(click.Group):
    """A group whose commands are `bouted.cli.NAME:NAME`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"bouted.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}{_nearest(args[0])}", ctx)
        return super().resolve_command(ctx, args)


def _nearest(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, COMMANDS, n=1)
    return f", did you mean {close[0]!r}?" if close else ""
