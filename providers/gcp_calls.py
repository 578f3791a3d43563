"""One call to Google: with a deadline, the client's own retries, and errors named by the next move."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import requests
from google.api_core import exceptions as google_errors
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.protobuf.json_format import ParseError

from bouted.errors import BoutedError, PermissionMissing, Retryable, SourceFailed

BILLING_API = "cloudbilling.googleapis.com"
_LOGIN = "gcloud auth application-default login"
_PERMISSION = re.compile(r"\b(compute\.[A-Za-z]+\.[A-Za-z]+)\b")
_RATE = {"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "quotaExceeded"}
_DISABLED = {"accessNotConfigured", "SERVICE_DISABLED"}
_AFTER_S, _LONGEST_AFTER_S = 60.0, 3600.0
# How the clients fail on a body that is not what it should be; an odd error body breaks their own reading.
ODD_BODY = (ParseError, ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError)

T = TypeVar("T")


class Absent(SourceFailed):
    """Google has no such thing to tell of: 400 or 404."""


class Unreadable(SourceFailed):
    """The whole body did not parse; its rows may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What calls of one fetch share: whose project, and until when."""

    project: str
    call_timeout_s: float
    until: float

    @classmethod
    def start(cls, project: str, call_timeout_s: float, deadline_s: float) -> "Asking":
        """From now on, for `deadline_s`."""
        return cls(project=project, call_timeout_s=call_timeout_s, until=monotonic() + deadline_s)

    def left_s(self) -> float:
        """Seconds until the deadline, 0 when it is over."""
        return max(0.0, self.until - monotonic())

    def ask(self, permission: str, call: Callable[[Retry, float], T]) -> T:
        """What `call` gives, retried within its time; otherwise an error that says what to do.

        `permission` is the one that the call takes, named when Google does not name it.
        """
        patience_s = min(self.call_timeout_s, self.left_s())
        if patience_s <= 0.0:
            raise SourceFailed("no time was left to ask", hint="raise deadline_s and timeout_s")
        retry = Retry(predicate=_worth_again, initial=0.2, maximum=4.0, multiplier=2.0, timeout=patience_s)
        try:
            return call(retry, patience_s)
        except google_errors.RetryError as error:
            raise _told(error.cause or error, permission, self.project) from error
        except (google_errors.GoogleAPIError, GoogleAuthError, requests.RequestException) as error:
            raise _told(error, permission, self.project) from error
        except ODD_BODY as error:
            raise Unreadable(f"not the answer that was asked for: {one_line(error)}") from error


def one_line(error: object) -> str:
    """What it says, short, on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _reasons(error: google_errors.GoogleAPICallError) -> set[str]:
    told = {one.get("reason") for one in error.errors or () if isinstance(one, dict)}
    with suppress(AttributeError, TypeError):  # of an error body that is no such thing
        told.add(error.reason)
    return {reason for reason in told if isinstance(reason, str)}


def _throttled(error: BaseException) -> bool:
    if not isinstance(error, google_errors.GoogleAPICallError):
        return False
    return error.code == 429 or (error.code == 403 and bool(_reasons(error) & _RATE))


def _worth_again(error: BaseException) -> bool:
    server = isinstance(error, google_errors.ServerError | requests.ConnectionError)
    return _throttled(error) or (server and not isinstance(error, requests.Timeout))


def _told(error: BaseException, permission: str, project: str) -> BoutedError:
    said = one_line(error)
    if isinstance(error, GoogleAuthError):
        return SourceFailed(f"the credentials do not work: {said}", hint=_LOGIN)
    if isinstance(error, requests.Timeout):
        return SourceFailed("no answer in time", hint="check the network, or raise call_timeout_s")
    if not isinstance(error, google_errors.GoogleAPICallError):
        return SourceFailed(f"cannot be reached: {said}", hint="check the network")
    if _throttled(error):
        return Retryable(f"told to slow down: {said}", after_s=_after_s(error))
    if error.code == 401:
        return SourceFailed(f"the credentials do not work: {said}", hint=_LOGIN)
    if error.code == 403:
        return _denied(error, permission, project)
    kind = Absent if error.code in (400, 404) else SourceFailed
    return kind(f"answered {error.code}: {said}")


def _after_s(error: google_errors.GoogleAPICallError) -> float:
    headers = getattr(error.response, "headers", None) or {}
    told = str(headers.get("Retry-After", ""))
    return min(max(float(told), 1.0), _LONGEST_AFTER_S) if told.isdecimal() else _AFTER_S


def _denied(error: google_errors.GoogleAPICallError, permission: str, project: str) -> PermissionMissing:
    if permission == BILLING_API or _reasons(error) & _DISABLED:
        api = BILLING_API if permission == BILLING_API else "compute.googleapis.com"
        return PermissionMissing(api, hint=f"gcloud services enable {api} --project={project}")
    named = _PERMISSION.search(error.message or "")
    role = f"gcloud projects add-iam-policy-binding {project} --member=WHO --role=roles/compute.viewer"
    return PermissionMissing(named[1] if named else permission, hint=role)
