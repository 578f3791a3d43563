"""`bouted demo`: the whole job on this machine, in a few minutes."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo"),
    show_default=True,
    help="Where state, logs and summary.json go.",
)
@click.option("--keep", is_flag=True, help="Keep the state folder and the logs afterwards.")
def demo(out: Path, keep: bool) -> int:
    """Show the whole job on this machine, in four minutes.

    It plans, launches, routes and replans with no cloud and no GPU: replicas are local processes,
    paced like the real ones. It ends by itself and leaves nothing running.
    """
    from bouted.demo.run import run_demo

    return run_demo(out, keep)
