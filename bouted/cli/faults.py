"""Errors as people see them: `error: what happened`, `hint: what to do`, on stderr; exit 1, no traceback.

Only errors that somebody can act on are told this way. Anything else is a bug and keeps its traceback.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from bouted.errors import BoutedError

INTERRUPTED = 130  # as shells say it: 128 + SIGINT


def told(call: Callable[[], Any]) -> int:
    """The exit status of a command: what it returns (nothing: 0), or 1 once its error has been told."""
    try:
        code = call()
    except BoutedError as error:
        tell(error)
        return 1
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        say_error(error.format_message(), _usage_hint(error))
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("", err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough: `bouted history | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def tell(error: BoutedError) -> None:
    """Says what went wrong on stderr; an error that holds several problems has a line for each."""
    if getattr(error, "problems", ()):
        for line in str(error).splitlines():
            say_error(line, "")
    else:
        say_error(error.message, error.hint)


def say_error(message: str, hint: str) -> None:
    """One error on stderr, with its hint if there is one."""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context is not None else ""
