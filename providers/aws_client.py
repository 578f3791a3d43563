"""The real AWS client, held to deadlines: calls and pages, whose errors say what to do next."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

from bouted.errors import BoutedError, SourceFailed

from .aws_errors import meant

CONNECT_S, READ_S = 5.0, 10.0
LONGEST_POLL_S = 20.0  # what SQS waits at most
_PREFIXES = {"service-quotas": "servicequotas"}  # where the policy calls the service otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What came of asking for all pages: `rows` of those that came, and why the rest did not."""

    rows: tuple[object, ...]
    problem: BoutedError | None = None


class AwsClient:
    """Asks AWS through boto3: its credential chain, its endpoints, its retries. Safe to call from threads."""

    def __init__(self, profile: str, *, timeout_s: float, attempts: int) -> None:
        self._profile = profile
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = Lock()  # sessions are not safe to share between threads, clients are

    def credential(self) -> str:
        """Where the credentials come from, in boto3's word for it; "" for none."""
        with _errors_meant("sts:GetCallerIdentity", "credentials"), self._lock:
            found = self._opened().get_credentials()
        return "" if found is None else str(found.method)

    def ask(self, service: str, region: str, operation: str, **asked: object) -> object:
        """One call, by the operation's Python name; what came is as AWS sent it, times as text."""
        with _errors_meant(permission_of(service, operation), region):
            return getattr(self._client(service, region), operation)(**asked)

    def pages(
        self, service: str, region: str, operation: str, key: str, until: float, **asked: object
    ) -> Pages:
        """The rows under `key` of all pages that came before `until` on the monotonic clock."""
        rows: list[object] = []
        permission = permission_of(service, operation)
        try:
            with _errors_meant(permission, region):
                for page in self._client(service, region).get_paginator(operation).paginate(**asked):
                    rows += page.get(key) or []
                    if monotonic() > until:
                        late = f"{region}: {permission}: not all pages came in time"
                        return Pages(rows=tuple(rows), problem=SourceFailed(late))
        except BoutedError as problem:
            return Pages(rows=tuple(rows), problem=problem)
        return Pages(rows=tuple(rows))

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                config = self._config(LONGEST_POLL_S if service == "sqs" else 0.0)
                self._clients[key] = self._opened().client(service, region_name=region, config=config)
            return self._clients[key]

    def _config(self, waits_s: float) -> Any:
        from botocore.config import Config

        return Config(
            connect_timeout=min(CONNECT_S, self._timeout_s),
            read_timeout=min(READ_S, self._timeout_s) + waits_s,
            retries={"mode": "adaptive", "total_max_attempts": self._attempts},
        )

    def _opened(self) -> Any:
        if self._session is None:
            import boto3
            import botocore.session

            core = botocore.session.Session(profile=self._profile or None)
            # One odd time would otherwise cost the whole page; as text it costs its own row.
            core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
            self._session = boto3.Session(botocore_session=core)
        return self._session


def permission_of(service: str, operation: str) -> str:
    """What a policy calls an operation: `ec2:DescribeRegions`."""
    return f"{_PREFIXES.get(service, service)}:{operation.title().replace('_', '')}"


@contextmanager
def _errors_meant(permission: str, where: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    # The client reads bodies trustingly: an odd one may trip it in any of the ways after the first three.
    odd = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError, *odd) as error:
        raise meant(error, permission=permission, where=where) from error
