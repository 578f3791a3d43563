"""Microsoft's clients for one subscription, with the login of `az`, as SkyPilot uses them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from azure.core import exceptions as azure_errors

from bouted.errors import BoutedError, Gone, NotConfigured, PermissionMissing, Retryable, SourceFailed

T = TypeVar("T")
CONNECT_S, READ_S, AFTER_S = 10.0, 20.0, 60.0
_ODD_BODY = (AttributeError, KeyError, TypeError, ValueError)  # how the clients fail on what is no answer
_LOGIN = "az login"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureAccount:
    """`machines` are the virtual machines of the subscription, `groups` its resource groups."""

    machines: Any
    groups: Any

    def ask(self, permission: str, call: Callable[[], T]) -> T:
        """What `call` gives, otherwise an error that says what to do; `permission` is what the call takes."""
        try:
            return call()
        except azure_errors.AzureError as error:
            raise _told(error, permission) from error
        except _ODD_BODY as error:
            raise SourceFailed(f"Azure: not the answer that was asked for: {_line(error)}") from error


def connect_azure(home: Path) -> AzureAccount:
    """Clients for the subscription that `az` has chosen in this home folder."""
    from azure.identity import AzureCliCredential

    return account(AzureCliCredential(process_timeout=30), subscription_of(home))


def account(credential: Any, subscription: str, **options: Any) -> AzureAccount:
    """Clients for a subscription. `options` go to both, e.g. `base_url`.

    They try nothing twice: told to come back in an hour they would sit and wait for it.
    """
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient

    patience = {"retry_total": 0, "connection_timeout": CONNECT_S, "read_timeout": READ_S, **options}
    return AzureAccount(
        machines=ComputeManagementClient(credential, subscription, **patience).virtual_machines,
        groups=ResourceManagementClient(credential, subscription, **patience).resource_groups,
    )


def subscription_of(home: Path) -> str:
    """The subscription that `az` works with. NotConfigured where nobody has logged in."""
    file = home / ".azure" / "azureProfile.json"
    try:
        told = json.loads(file.read_text(encoding="utf-8-sig"))
        chosen = [str(one["id"]) for one in told["subscriptions"] if one.get("isDefault")]
    except FileNotFoundError as error:
        raise NotConfigured(f"no Azure login: {file} is not there", hint=_LOGIN) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceFailed(f"{file} cannot be read: {type(error).__name__}", hint=_LOGIN) from error
    if not chosen:
        raise NotConfigured(f"{file} names no subscription to use", hint="az account set --subscription NAME")
    return chosen[0]


def _told(error: azure_errors.AzureError, permission: str) -> BoutedError:
    said = _line(error)
    status = error.status_code if isinstance(error, azure_errors.HttpResponseError) else None
    if isinstance(error, azure_errors.ResourceNotFoundError):
        return Gone(said)
    if status == 403:
        return PermissionMissing(permission, hint="the account of az login may not: give it a role that may")
    if status == 401 or isinstance(error, azure_errors.ClientAuthenticationError):
        return NotConfigured(f"Azure takes no login: {said}", hint=_LOGIN)
    if status == 429:
        return Retryable("Azure says to slow down (HTTP 429)", after_s=AFTER_S)
    return SourceFailed(f"Azure: {said}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
