"""Why a launch failed is read where SkyPilot hides it, and sorted by what to do next."""

import pytest
from bouted.providers.sky_refusals import raced, refused
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
    ("(InvalidAMIID.NotFound): The image id '[ami-0]' does not exist", Why.MISCONFIGURED),
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
