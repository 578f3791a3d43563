"""`bouted`: finds the command, runs it, and turns what goes wrong into one clear line."""

import sys
from collections.abc import Sequence

import click

from bouted import __version__
from bouted.cli.faults import told
from bouted.cli.group import CommandGroup
from bouted.cli.place import place_options

_HELP = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}


@click.group(cls=CommandGroup, invoke_without_command=True, context_settings=_HELP)
@click.version_option(__version__, message="bouted %(version)s")
@place_options
@click.pass_context
def cli(context: click.Context) -> None:
    """Serves your own LLMs at the lowest cost that meets your quality and latency targets.

    Start with `bouted check`, then `bouted plan`; `bouted run` is the daemon and `bouted status` tells how it
    goes.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(args: Sequence[str]) -> int:
    """What `bouted ARGS` exits with: 0 for success, 1 for an error; `plan` also says 2, for changes."""
    return told(lambda: cli.main(args=list(args), prog_name="bouted", standalone_mode=False))


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
