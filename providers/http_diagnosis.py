"""How a source that asks over HTTP is doing, found out by asking it once."""

from collections.abc import Callable

from bouted.errors import BoutedError, NotConfigured, PermissionMissing, Retryable
from bouted.market.diagnosis import Diagnosis, not_set_up


def diagnose_by_asking(credential: str, ask: Callable[[], object]) -> Diagnosis:
    """What became of `ask`. Being throttled or refused still means that the other side is there."""
    try:
        ask()
    except NotConfigured as error:
        return not_set_up(error)
    except PermissionMissing as error:
        return Diagnosis(
            credential=credential,
            reachable=True,
            missing=(error.permission,),
            problem=error.message,
            hint=error.hint,
        )
    except Retryable as error:
        return Diagnosis(credential=credential, reachable=True, problem=error.message, hint=error.hint)
    except BoutedError as error:
        return Diagnosis(credential=credential, reachable=False, problem=error.message, hint=error.hint)
    return Diagnosis(credential=credential, reachable=True)
