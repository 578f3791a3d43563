"""Why a launch failed, sorted by what to do next: the cloud's own code is only in SkyPilot's logs. Pure."""

import re
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
        r"No image found in catalog",
        r"InvalidAMIID",
        r"The image id .* does not exist",
        r"image '?[^ ]*'? (was )?not found",
        hint="SkyPilot's catalog names no image for this region",
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


def _known(text: str) -> Refused | None:
    for sign in _SIGNS:
        found = sign.pattern.search(text)
        if found is not None:
            return Refused(why=sign.why, detail=_detail(_line(text, found.start()), sign.hint))
    return None


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
