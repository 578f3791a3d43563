"""Google's clients, made for one project with the credentials that are found."""

from dataclasses import dataclass
from pathlib import Path

import google.auth
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import billing_v1, compute_v1

from bouted.errors import Misconfigured, NotConfigured, SourceBroken, SourceFailed

from .gcp_calls import one_line
from .gcp_options import GcpOptions
from .source_options import PATH

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_KINDS = {
    "google.oauth2.service_account": "service account key",
    "google.oauth2.credentials": "a person's own login",
    "google.auth.compute_engine.credentials": "service account of this machine",
    "google.auth.identity_pool": "workload identity federation",
    "google.auth.impersonated_credentials": "impersonated service account",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpClients:
    """The clients that are used, all in one place. `credential` says what kind they go with."""

    project: str
    credential: str
    machine_types: compute_v1.MachineTypesClient
    advice: compute_v1.AdviceClient
    regions: compute_v1.RegionsClient
    operations: compute_v1.ZoneOperationsClient
    catalog: billing_v1.CloudCatalogClient


def connect(options: GcpOptions) -> GcpClients:
    """Clients for `options`; NotConfigured where there are no credentials."""
    credentials, project, kind = _who(options)
    place = ClientOptions(api_endpoint=options.endpoint) if options.endpoint else None
    return GcpClients(
        project=project,
        credential=kind,
        machine_types=compute_v1.MachineTypesClient(credentials=credentials, client_options=place),
        advice=compute_v1.AdviceClient(credentials=credentials, client_options=place),
        regions=compute_v1.RegionsClient(credentials=credentials, client_options=place),
        operations=compute_v1.ZoneOperationsClient(credentials=credentials, client_options=place),
        catalog=_catalog(options, credentials),
    )


def connect_instances(project: str = "", endpoint: str = "") -> tuple[compute_v1.InstancesClient, str]:
    """A client for instances, and the project that is meant: the one that the credentials name unless given.
    NotConfigured where there are no credentials."""
    credentials, meant, _ = _who(GcpOptions(project=project, endpoint=endpoint))
    place = ClientOptions(api_endpoint=endpoint) if endpoint else None
    return compute_v1.InstancesClient(credentials=credentials, client_options=place), meant


def _who(options: GcpOptions) -> tuple[Credentials, str, str]:
    if options.endpoint:
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return anonymous, options.project, "none, at a stand-in"
    try:
        credentials, project = google.auth.default(scopes=_SCOPES)
    except DefaultCredentialsError as error:
        raise NotConfigured(
            f"no Google credentials: {one_line(error)}", hint="gcloud auth application-default login"
        ) from error
    except GoogleAuthError as error:
        raise SourceFailed(f"the credentials do not work: {one_line(error)}") from error
    if not (options.project or project):
        raise Misconfigured(f"{PATH}.gcp.project", "the credentials name no project", hint="project: NAME")
    kind = _KINDS.get(type(credentials).__module__, type(credentials).__name__)
    return credentials, options.project or str(project), kind


def _catalog(options: GcpOptions, credentials: Credentials) -> billing_v1.CloudCatalogClient:
    """The price list is public: an API key will do, and then no token is sent."""
    place = ClientOptions(api_endpoint=options.endpoint or None)
    if options.api_key_file is None:
        return billing_v1.CloudCatalogClient(credentials=credentials, transport="rest", client_options=place)
    place.api_key = _key(options.api_key_file)
    return billing_v1.CloudCatalogClient(transport="rest", client_options=place)


def _key(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceBroken(f"{path}: cannot be read: {one_line(error)}", hint="check api_key_file") from error
    if not key or not key.isascii() or not key.isprintable():
        raise SourceBroken(f"{path}: holds no API key", hint="one line, the key and nothing else")
    return key
