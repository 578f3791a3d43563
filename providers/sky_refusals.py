"""Why a launch failed, sorted by what to do next: the cloud's own code is only in SkyPilot's logs. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bouted.reconcile.launcher import Refused, Why

from .sky_wire import SkyError

MOST_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sign:
    why: Why
    pattern: re.Pattern[str]
    hint: str = ""


def _sign(why: Why, *words: str, hint: str = "") -> _Sign:
    return _Sign(why=why, pattern=re.compile("|".join(words), re.IGNORECASE), hint=hint)


# The first that matches counts: SkyPilot reports a missing image or right as want of capacity, too.
_SIGNS = (
    _sign(
        Why.MISCONFIGURED,
        r"No image found (in catalog )?for region",
        hint="SkyPilot's catalog names no image for this region",
    ),
    _sign(
        Why.MISCONFIGURED,
        r"InvalidAMIID",
        r"The image id .* does not exist",
        r"image '?[^ ]*'? (was )?not found",
        r"image not found",
        r"/(images|machineImages)/\S+ was not found",
        r"Not able to access the image",
        hint="no such image, or no right to see it: see launcher.options.image",
    ),
    _sign(
        Why.MISCONFIGURED,
        r"Image tag \S+ is not valid",
        r"larger than the specified disk_size",
        r"only supports Docker images",
        r"image_id is only supported",
        hint="this image cannot be booted there: see launcher.options.image",
    ),
    _sign(
        Why.MISCONFIGURED,
        r"UnauthorizedOperation",
        r"AccessDenied",
        r"AuthFailure",
        r"InvalidClientTokenId",
        r"ExpiredToken",
        r"PERMISSION_DENIED",
        r"AuthorizationFailed",
        r"InvalidCloudCredentials",
        r"NoCloudAccessError",
        r"No cloud access is set up",
        r"[Cc]loud .* is not enabled",
        hint="see what it may do: docs/permissions; what SkyPilot sees: bouted doctor",
    ),
    _sign(
        Why.QUOTA,
        r"VcpuLimitExceeded",
        r"MaxSpotInstanceCountExceeded",
        r"InstanceLimitExceeded",
        r"SpotInstanceCountLimit",
        r"QUOTA_EXCEEDED",
        r"quota[^\n]{0,40}exceeded",
        r"exceed[^\n]{0,40}quota",
        r"QuotaExceeded",
        hint="raise the quota, or declare it under supply.quotas",
    ),
    _sign(
        Why.NO_CAPACITY,
        r"InsufficientInstanceCapacity",
        r"InsufficientHostCapacity",
        r"UnfulfillableCapacity",
        r"SpotMaxPriceTooLow",
        r"ZONE_RESOURCE_POOL_EXHAUSTED\w*",
        r"does not have enough resources available",
        r"SkuNotAvailable",
        r"(Zonal)?AllocationFailed",
        r"OverconstrainedAllocationRequest",
        r"insufficient-capacity",
        r"no longer any instances available",
        r"stock-?out",
    ),
    _sign(
        Why.MISCONFIGURED,
        r"Invalid instance type",
        r"InvalidParameterValue",
        r"Unsupported[^\n]{0,20}instance type",
        r"not found in the catalog",
        r"InvalidSubnet",
        r"InvalidClusterNameError",
        r"No VPC",
        hint="SkyPilot cannot make this machine as it is set up",
    ),
)
_RACED = re.compile(r"\((Invalid(Permission|Group|KeyPair)\.Duplicate|EntityAlreadyExists)\)")
_HANDLED = re.compile(r"handler error: An error occurred \(\w")  # one that SkyPilot did not expect
_BROKE = frozenset({"ClusterSetUpError", "CommandError", "RequestCancelled", "ClusterNotUpError"})


def refused(error: SkyError, log: str) -> Refused:
    """What a failed launch means. `log` is what SkyPilot wrote while it tried."""
    text = f"{log}\n{error.message}"
    if error.type not in _BROKE:
        known = _known(text)
        if known is not None:
            return known
        handled = _HANDLED.search(text)
        if handled is not None:
            return Refused(why=Why.BROKEN, detail=_detail(_line(text, handled.start()), ""))
        if error.type == "ResourcesUnavailableError":
            return Refused(why=Why.NO_CAPACITY, detail=_detail(_first_line(error.message), ""))
    return Refused(why=Why.BROKEN, detail=_detail(f"{error.type}: {_first_line(error.message)}", ""))


def raced(log: str) -> bool:
    """Did the launch fail only because another made the same security group, key pair or role at that moment?

    SkyPilot looks for them and then makes them, each launch by itself, so the first launches in a region can
    meet. They are there afterwards: asking for the same launch again is all it needs.
    """
    return _RACED.search(log) is not None and _known(log) is None


def tells_why(text: str) -> bool:
    """Does it hold a word of SkyPilot's or a cloud's that is known here?"""
    return _known(text) is not None


def causes(provision_log: str, cluster: str) -> str:
    """What ended the launch of a cluster, from SkyPilot's detailed log of it; "" where nothing did.

    Much of what such a log says is no reason: settings, tries that were made again, and what went wrong
    while the rest was taken down. So only the exceptions count that SkyPilot says ended the launch: of those
    that came from one another, the last one that tells why.
    """
    said = "\n".join(_stacktraces(provision_log, f"bulk_provision for {cluster!r} failed."))
    raised = said.split(_TRACEBACK)
    return next((one for one in reversed(raised) if tells_why(one)), said.replace(_TRACEBACK, "")).strip()


def _stacktraces(log: str, title: str) -> Iterator[str]:
    """The lines below this title that are not code. SkyPilot writes the same prefix before each line of what
    it says at once, so another prefix ends it."""
    ours = ""
    for line in log.splitlines():
        found = _PREFIX.match(line)
        prefix = found[0] if found else ""
        text = line[len(prefix) :]
        if text.startswith(title):
            ours = prefix
        elif prefix != ours:
            ours = ""
        elif ours and text[:1].strip():
            yield text


def _known(text: str) -> Refused | None:
    for sign in _SIGNS:
        found = sign.pattern.search(text)
        if found is not None:
            return Refused(why=sign.why, detail=_detail(_line(text, found.start()), sign.hint))
    return None


_TRACEBACK = "Traceback (most recent call last):"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PREFIX = re.compile(r"^[DEIW] [\d-]+ [\d:.]+ (PID=\d+ )?\S+:\d+\] ")  # of SkyPilot's own log lines


def _line(text: str, at: int) -> str:
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    return text[start : end if end >= 0 else len(text)]


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


def _detail(line: str, hint: str) -> str:
    plain = _PREFIX.sub("", " ".join(_COLOUR.sub("", line).split()))
    if len(plain) > MOST_CHARS:
        plain = plain[:MOST_CHARS] + "..."
    return f"{plain} ({hint})" if hint else plain
