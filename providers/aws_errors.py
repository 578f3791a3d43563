"""What an error of the AWS client means to whoever asked."""

from bouted.errors import BoutedError, NotConfigured, PermissionMissing, Retryable, SourceBroken, SourceFailed

POLICY = "docs/permissions/aws-read.json"
RETRY_AFTER_S = 60.0
_DENIED = {
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError",
    "NotAuthorized", "UnauthorizedException",
}  # fmt: skip
_THROTTLED = {
    "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
    "RequestThrottledException", "TooManyRequestsException", "EC2ThrottledException", "SlowDown",
    "BandwidthLimitExceeded", "PriorRequestNotComplete", "LimitExceededException", "429",
}  # fmt: skip
_REFUSED = {
    "AuthFailure": "not opted in to this region, or wrong keys",
    "OptInRequired": "not opted in to this region",
    "UnrecognizedClientException": "AWS does not know these keys",
    "InvalidClientTokenId": "AWS does not know these keys",
    "SignatureDoesNotMatch": "the secret key is wrong, or this machine's clock",
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "RequestExpired": "the credentials have expired, or this machine's clock is wrong",
}
_NO_CREDENTIALS = "no AWS credentials"
_HOW = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, or give the machine a role"


def not_configured() -> NotConfigured:
    """There are no credentials here."""
    return NotConfigured(_NO_CREDENTIALS, hint=_HOW)


def permission_missing(permission: str) -> PermissionMissing:
    """AWS said no to this; the hint is the line to add."""
    return PermissionMissing(permission, hint=f'add "{permission}" to the policy, as in {POLICY}')


def meant(error: Exception, *, permission: str, where: str) -> BoutedError:
    """The error for the caller's next move. `permission` is what the call needs, `where` the region asked."""
    from botocore import exceptions as aws

    if isinstance(error, aws.ClientError):
        return _answered(error.response, permission, where)
    if isinstance(error, aws.NoCredentialsError):
        return not_configured()
    if isinstance(error, aws.ProfileNotFound | aws.ConfigParseError):
        return SourceBroken(_line(error), hint="check the option profile and ~/.aws/config")
    if isinstance(error, aws.BotoCoreError):
        return SourceFailed(f"{where}: {permission}: {_line(error)}")
    return SourceFailed(f"{where}: {permission}: what came is no answer of AWS ({type(error).__name__})")


def _answered(response: object, permission: str, where: str) -> BoutedError:
    said = response.get("Error") if isinstance(response, dict) else None
    code = str(said.get("Code")) if isinstance(said, dict) else "?"
    if code in _DENIED:
        return permission_missing(permission)
    if code in _THROTTLED:
        return Retryable(f"{where}: {permission}: AWS says slow down ({code})", after_s=RETRY_AFTER_S)
    if code in _REFUSED:
        return SourceFailed(f"{where}: {permission}: {code}", hint=_REFUSED[code])
    told = _line(said.get("Message", "")) if isinstance(said, dict) else ""
    return SourceFailed(f"{where}: {permission}: {code} {told}".rstrip())


def worst(problems: tuple[BoutedError, ...]) -> BoutedError:
    """Of several, the one that says most about what to do next."""
    kinds = (NotConfigured, SourceBroken, PermissionMissing, Retryable)
    for kind in kinds:
        for problem in problems:
            if isinstance(problem, kind):
                return problem
    return problems[0] if problems else SourceFailed("AWS gave no prices")


def _line(said: object) -> str:
    return " ".join(str(said).split())[:200]
