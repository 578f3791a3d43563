"""`bouted doctor`: whether every price source and the launcher can do their work, and what they lack."""

import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import click

from bouted.cli.place import Place, pass_place, place_options

if TYPE_CHECKING:
    from bouted.cli.doctor_launcher import LauncherExamined
    from bouted.config.schema import Config


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def doctor(place: Place, as_json: bool) -> int:
    """Say how price sources and the launcher are set up.

    What they lack: credentials, reach, missing permissions, rows, age, quotas; of SkyPilot which clouds let
    it in. Asks a few cheap questions, changes nothing. Exit 0 when all is well, 1 when something is missing.
    """
    from datetime import UTC, datetime

    from bouted.cli.doctor_launcher import launcher_document, launcher_lines
    from bouted.cli.doctor_rows import document, lines
    from bouted.daemon.parts import feeds_of, load
    from bouted.errors import Misconfigured
    from bouted.market.examine import examine
    from bouted.store.claims import load_courses

    place.hand_on()
    loaded = load(place.config_path())
    now = datetime.now(UTC)
    examined = examine(feeds_of(loaded), now)
    try:
        with closing(place.store()) as store:
            courses = load_courses(store)
    except Misconfigured:
        courses = {}
    if not as_json:
        click.echo("\n".join(lines(examined, courses, now)))
    launcher = _launcher(loaded.config)
    if as_json:
        found = {"sources": document(examined, courses), "launcher": launcher_document(launcher)}
        click.echo(json.dumps(found, indent=2))
    elif launcher.findings:
        click.echo("\n".join(launcher_lines(launcher)))
    return 0 if launcher.well and all(one.diagnosis.well for one in examined) else 1


def _launcher(config: "Config") -> "LauncherExamined":
    """What the launcher finds; options that it refuses are findings, too."""
    from bouted.cli.doctor_launcher import LauncherExamined
    from bouted.config.problems import ConfigErrors
    from bouted.daemon.parts import launcher_of
    from bouted.errors import BoutedError
    from bouted.reconcile.checkup import ChecksUp, Finding, State

    name = config.launcher.name
    try:
        launcher = launcher_of(config)
    except ConfigErrors as errors:
        wrong = tuple(
            Finding(what="options", state=State.TROUBLE, told=f"{one.path}: {one.message}", hint=one.hint)
            for one in errors.problems
        )
        return LauncherExamined(name=name, findings=wrong)
    except BoutedError as error:
        told = Finding(what="options", state=State.TROUBLE, told=error.message, hint=error.hint)
        return LauncherExamined(name=name, findings=(told,))
    if not isinstance(launcher, ChecksUp):
        return LauncherExamined(name=name)
    if sys.stderr.isatty():
        click.echo(f"asking the {name} launcher, which may take a minute ...", err=True)
    return LauncherExamined(name=name, findings=launcher.check_up())
