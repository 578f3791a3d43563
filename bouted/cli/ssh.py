"""`bouted ssh`: a shell on a node, or one command there."""

import os
from typing import TYPE_CHECKING, NoReturn

import click

from bouted.cli.place import Place, pass_place, place_options
from bouted.errors import Misconfigured

if TYPE_CHECKING:
    from bouted.reconcile.launcher import Launcher, Shell


@click.command()
@place_options
@click.argument("name", metavar="REPLICA|NODE")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_place
def ssh(place: Place, name: str, command: tuple[str, ...]) -> None:
    """Open a shell on a node, or run one command there.

    REPLICA or NODE is a name, or as much of the beginning or the end as tells it apart; put -- before a
    COMMAND that has options. Exits as the command does. Works with the daemon dead.
    """
    from bouted.cli.engines import opened, require_ours
    from bouted.cli.named import node_meant
    from bouted.reconcile.launcher import WithShells

    with opened(place) as engines:
        node = node_meant(name, engines.known, engines.deployment)
        require_ours(node)
        if not isinstance(engines.launcher, WithShells):
            raise _no_shell(engines.launcher, node.name)
        shell = engines.launcher.shell(node.name, command)
    _become(shell)


def _become(shell: "Shell") -> NoReturn:
    os.chdir(shell.folder)
    try:
        os.execvp(shell.argv[0], shell.argv)
    except FileNotFoundError:
        raise Misconfigured("", f"there is no {shell.argv[0]} on this machine", hint="install it") from None


def _no_shell(launcher: "Launcher", node: str) -> Misconfigured:
    """Where engines are processes of this machine, they are told by their ids."""
    pids = [str(seen.pid) for seen in launcher.seen().replicas if seen.node == node and seen.pid]
    if not pids:
        return Misconfigured("", f"the {launcher.name} launcher has no shells")
    running = f"pid {', '.join(pids)}"
    told = f"replicas of the {launcher.name} launcher are processes of this machine: {running}"
    return Misconfigured("", told, hint=f"bouted logs {node}")
