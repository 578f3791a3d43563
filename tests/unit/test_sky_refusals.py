"""Why a launch failed is read where SkyPilot hides it, and sorted by what to do next."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bouted.providers.sky_refusals import causes, raced, refused, tells_why
from bouted.providers.sky_wire import SkyError

from bouted.reconcile.launcher import Refused, Why

UNAVAILABLE = SkyError(
    type="ResourcesUnavailableError", message="Failed to acquire resources in us-east-1a for {AWS(g5.xlarge)}"
)
NOISE = "\x1b[2mW 11-24 10:00:00 instance.py:229] create_instances failed\x1b[0m\n"

SAID = (
    (
        "An error occurred (InsufficientInstanceCapacity) when calling the RunInstances operation",
        Why.NO_CAPACITY,
    ),
    ("(MaxSpotInstanceCountExceeded) when calling RunInstances: Max spot instance count exceeded", Why.QUOTA),
    ("(VcpuLimitExceeded) when calling RunInstances: You have requested more vCPU capacity", Why.QUOTA),
    ("Quota 'NVIDIA_A100_GPUS' exceeded. Limit: 0.0 in region us-central1.", Why.QUOTA),
    ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS: the zone does not have enough resources", Why.NO_CAPACITY),
    ("(SkuNotAvailable) The requested size for resource is currently not available", Why.NO_CAPACITY),
    ("OverconstrainedZonalAllocationRequest: ZonalAllocationFailed", Why.NO_CAPACITY),
    ("instance-operations/launch/insufficient-capacity: Not enough capacity", Why.NO_CAPACITY),
    ("There are no longer any instances available with the requested specifications", Why.NO_CAPACITY),
    ("An error occurred (UnauthorizedOperation) when calling the RunInstances operation", Why.MISCONFIGURED),
    ("No image found in catalog for region us-east-1. Try setting a valid image_id", Why.MISCONFIGURED),
    (
        "An error occurred (InvalidAMIID.NotFound) when calling the RunInstances operation: The image id"
        " '[ami-0123456789abcdef0]' does not exist",
        Why.MISCONFIGURED,
    ),
    ("Invalid instance type 'g5.tiny' for cloud AWS", Why.MISCONFIGURED),
)


@pytest.mark.parametrize(("said", "why"), SAID)
def test_the_clouds_own_code_in_the_log_decides(said: str, why: Why) -> None:
    found = refused(UNAVAILABLE, NOISE + said + "\nsomething after it\n")
    assert found.why is why
    assert said.split("\n")[0][:60] in found.detail


def test_a_missing_image_is_not_taken_for_want_of_capacity() -> None:
    log = "No image found in catalog for region us-east-1\nInsufficientInstanceCapacity\n"
    assert refused(UNAVAILABLE, log).why is Why.MISCONFIGURED


NO_IMAGE = (
    "An error occurred (InvalidAMIID.NotFound) when calling the RunInstances operation: The image id"
    " '[ami-0123456789abcdef0]' does not exist",
    "An error occurred (InvalidAMIID.Malformed) when calling the DescribeImages operation: Invalid id",
    "Image 'ami-0' not found in AWS region us-east-1 - can't get image size.",
    "Image 'projects/p/global/images/i' not found in GCP.",
    "Not able to access the image 'projects/p/global/images/i'",
    "The resource 'projects/p/global/images/i' was not found",
    "Image not found: publisher:offer:sku:1.0",
)


@pytest.mark.parametrize("said", NO_IMAGE)
def test_an_image_that_the_cloud_does_not_have_is_told_as_no_such_image(said: str) -> None:
    found = refused(SkyError(type="ValueError", message=f"{said}\n\nTo find images: https://x"), "")
    assert found.why is Why.MISCONFIGURED
    assert found.detail == f"{said} (no such image, or no right to see it: see launcher.options.image)"


@pytest.mark.parametrize(
    "said",
    [
        'Lambda cloud only supports Docker images. Please prefix your image with "docker:"',
        "Image tag 'skypilot:gpu' is not valid, please make sure the tag exists in AWS (us-east-1).",
        "Image 'ami-0' is 300.0GB, which is larger than the specified disk_size: 256 GB.",
    ],
)
def test_an_image_that_cannot_be_booted_there_is_told_so(said: str) -> None:
    found = refused(SkyError(type="ValueError", message=said), "")
    assert (found.why, found.detail.partition(" (this image")[0]) == (Why.MISCONFIGURED, said)


def test_without_a_code_resources_that_are_unavailable_are_sold_out() -> None:
    found = refused(UNAVAILABLE, NOISE)
    assert found.why is Why.NO_CAPACITY
    assert found.detail == UNAVAILABLE.message


@pytest.mark.parametrize("error", ["ClusterSetUpError", "CommandError", "RequestCancelled", "ValueError"])
def test_what_broke_after_the_machine_was_there_is_no_want_of_capacity(error: str) -> None:
    found = refused(SkyError(type=error, message="exit code 1\nmore"), "InsufficientInstanceCapacity before")
    expected = Why.NO_CAPACITY if error == "ValueError" else Why.BROKEN
    assert found.why is expected


def test_the_detail_is_one_line_without_colours_and_with_a_hint() -> None:
    log = "\x1b[31mAn error occurred (UnauthorizedOperation)   when calling\x1b[0m RunInstances\n"
    found = refused(UNAVAILABLE, log)
    assert "\x1b" not in found.detail
    assert "\n" not in found.detail
    assert found.detail.endswith("bouted doctor)")


def test_a_very_long_line_is_cut() -> None:
    found = refused(UNAVAILABLE, "InsufficientInstanceCapacity " + "x" * 5000)
    assert len(found.detail) < 320


def test_skypilots_own_prefix_is_left_out() -> None:
    log = "W 11-29 15:02:36.316 PID=26594 instance.py:415] create_instances: (VcpuLimitExceeded) too many\n"
    assert refused(UNAVAILABLE, log).detail.startswith("create_instances: (VcpuLimitExceeded) too many")


RACES = (
    "AWS handler error: An error occurred (InvalidPermission.Duplicate) when calling the"
    " AuthorizeSecurityGroupIngress operation: The specified rule already exists",
    "AWS handler error: An error occurred (InvalidGroup.Duplicate) when calling the CreateSecurityGroup",
    "AWS handler error: An error occurred (EntityAlreadyExists) when calling the CreateRole operation",
)


@pytest.mark.parametrize("said", RACES)
def test_a_launch_that_lost_a_race_for_a_shared_thing_is_told_from_want_of_capacity(said: str) -> None:
    assert raced(NOISE + said)
    found = refused(UNAVAILABLE, NOISE + said)
    assert found.why is Why.BROKEN
    assert found.detail == said
    assert not raced(NOISE + said + "\n(InsufficientInstanceCapacity) when calling RunInstances")
    assert not raced(NOISE)


def test_an_unknown_error_of_a_cloud_is_told_in_its_own_words_and_is_no_want_of_capacity() -> None:
    said = "AWS handler error: An error occurred (TeapotError) when calling the RunInstances operation: short"
    assert refused(UNAVAILABLE, NOISE + said + "\nmore") == Refused(why=Why.BROKEN, detail=said)


FAIL_LAUNCH = Path(__file__).parents[1] / "sky" / "fail_launch.py"
NO_SIZE = "(SkuNotAvailable) The requested size is currently not available\nCode: SkuNotAvailable"


def test_the_reason_in_skypilots_own_detailed_log_is_found_among_what_is_none(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
    }
    asked = [sys.executable, str(FAIL_LAUNCH), "rl-a", NO_SIZE]
    subprocess.run(asked, env=environment, check=True, capture_output=True, timeout=100)
    (log,) = tmp_path.glob("sky_logs/sky-*/provision.log")
    text = log.read_text()
    assert all(word in text for word in ("QuotaExceeded", "AccessDenied", "UnauthorizedOperation"))
    assert causes(text, "rl-a") == f"RuntimeError: {NO_SIZE}"
    assert refused(UNAVAILABLE, causes(text, "rl-a")).why is Why.NO_CAPACITY
    assert causes(text, "rl") == ""


def provision_log(*lines: str) -> str:
    at = "D 11-29 21:04:59.824 PID=5512 provisioner.py:361] "
    return "".join(f"{at}{line}\r\n" for line in lines)


def test_what_an_exception_came_from_counts_where_it_says_nothing_itself() -> None:
    log = provision_log(
        "bulk_provision for 'rl-a' failed. Stacktrace:",
        "Traceback (most recent call last):",
        '  File "sky/provision/aws/instance.py", line 405, in _create_instances',
        "    if '(UnauthorizedOperation)' in str(e):",
        "botocore.exceptions.ClientError: An error occurred (InsufficientInstanceCapacity) when calling",
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        "Traceback (most recent call last):",
        "RuntimeError: Failed to launch instances. Max attempts exceeded.",
    )
    assert refused(UNAVAILABLE, causes(log, "rl-a")).why is Why.NO_CAPACITY


def test_what_is_told_in_no_known_words_is_left_as_it_is() -> None:
    log = provision_log(
        "bulk_provision for 'rl-a' failed. Stacktrace:",
        "Traceback (most recent call last):",
        "RuntimeError: An error occurred (TeapotError)",
    )
    assert causes(log, "rl-a") == "RuntimeError: An error occurred (TeapotError)"
    assert not tells_why(causes(log, "rl-a"))
    assert causes("", "rl-a") == ""
