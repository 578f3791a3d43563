"""`bouted version`."""

import platform

import click

from bouted import __version__


@click.command()
def version() -> None:
    """Print the version of bouted and of Python."""
    click.echo(f"bouted {__version__} (Python {platform.python_version()})")
