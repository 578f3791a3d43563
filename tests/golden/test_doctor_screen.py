"""What `bouted doctor` says of a SkyPilot launcher."""

from collections.abc import Callable

from bouted.cli.doctor_launcher import LauncherExamined, launcher_lines
from bouted.reconcile.checkup import Finding, State

Golden = Callable[[str, str], None]


def test_the_doctors_screen_of_a_new_user(golden: Golden) -> None:
    found = (
        Finding(what="ssh", state=State.OK, told="/usr/bin/ssh"),
        Finding(what="rsync", state=State.TROUBLE, told="not on this machine", hint="apt install rsync"),
        Finding(what="API server", state=State.OK, told="port 46590 is free for it"),
        Finding(what="credentials", state=State.OFF, told="no cloud's under /root"),
        Finding(
            what="aws",
            state=State.OFF,
            told="AWS credentials are not set",
            hint="aws configure (or give this machine a role)",
        ),
        Finding(
            what="lambda",
            state=State.OFF,
            told="Failed to access Lambda Cloud with credentials",
            hint="put `api_key = KEY` into ~/.lambda_cloud/lambda_keys",
        ),
        Finding(what="clouds", state=State.TROUBLE, told="SkyPilot can rent nowhere: set one up"),
    )
    golden("doctor-skypilot", "\n".join(launcher_lines(LauncherExamined(name="skypilot", findings=found))))
