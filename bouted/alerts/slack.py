"""Sends a message to Slack through an incoming webhook, with retries; the webhook's URL stays secret."""

import logging
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.webhook import WebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from bouted.errors import Misconfigured, Retryable

TIMEOUT_S = 10
RETRIES = 2
LONGEST_WAIT_S = 30.0
_LATER_S = 60.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def webhook_from_file(path: Path) -> "SlackSender":
    """The sender for the webhook whose URL is in `path`. Misconfigured when there is no usable URL there."""
    try:
        url = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise Misconfigured(
            str(path), f"the Slack webhook cannot be read: {reason}", hint="check the file and its owner"
        ) from None
    if not _usable(url):
        raise Misconfigured(
            str(path), "holds no Slack webhook", hint="one line: https://hooks.slack.com/services/..."
        )
    return SlackSender(webhook_url=url)


def _usable(url: str) -> bool:
    """One URL that keeps the secret on its way: https, or plain http to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return secure and bool(parts.hostname) and url.isascii() and url.isprintable() and " " not in url


@dataclass(frozen=True, slots=True, repr=False)
class SlackSender:
    """Posts to one webhook, trying again after `pause_s` where Slack fails or cannot be reached.

    Never shown or logged: the URL is all that a stranger needs to post there too.
    """

    webhook_url: str
    pause_s: float = 2.0

    def send(self, text: str) -> None:
        """Post `text` as one message. Blocks for a minute or so at most, retries included: use a thread.

        Retryable when Slack cannot be reached, is overloaded or fails; Misconfigured when it refuses the
        webhook or the message.
        """
        try:
            answer = self._client().send(text=_escaped(text))
        except (OSError, HTTPException) as error:
            # An HTTPException may quote the URL; a URLError's reason does not.
            reason = getattr(error, "reason", None) or type(error).__name__
            raise Retryable(f"Slack cannot be reached: {reason}", after_s=_LATER_S) from None
        _check(answer)

    def _client(self) -> WebhookClient:
        return WebhookClient(
            self.webhook_url,
            timeout=TIMEOUT_S,
            logger=_mute(),
            retry_handlers=[
                ConnectionErrorRetryHandler(RETRIES, FixedValueRetryIntervalCalculator(self.pause_s)),
                _PatientWithinReason(max_retry_count=RETRIES),
                ServerErrorRetryHandler(RETRIES, FixedValueRetryIntervalCalculator(self.pause_s)),
            ],
        )


class _PatientWithinReason(RateLimitErrorRetryHandler):
    """Waits as long as Slack asks, unless that is long: then the caller is told when to come back."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if response is None or response.status_code != 429:
            return False
        waits = [values[0] for name, values in response.headers.items() if name.lower() == "retry-after"]
        return not waits or (waits[0].isdecimal() and int(waits[0]) <= LONGEST_WAIT_S)


def _check(answer: WebhookResponse) -> None:
    """Slack says in the status, and in one word of the body, what became of the message."""
    if answer.status_code == 200:
        return
    said = " ".join(str(answer.body).split())[:80]
    if answer.status_code == 429:
        after = str({name.lower(): value for name, value in answer.headers.items()}.get("retry-after", ""))
        raise Retryable("Slack asks to wait", after_s=float(after) if after.isdecimal() else _LATER_S)
    if answer.status_code >= 500:
        raise Retryable(f"Slack failed with status {answer.status_code}", after_s=_LATER_S)
    raise Misconfigured(
        "alerts.slack",
        f"Slack refused the message with status {answer.status_code}: {said}",
        hint="make a new incoming webhook for the channel and put its URL in the file",
    )


def _escaped(text: str) -> str:
    """Slack's three control characters, as it wants them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mute() -> logging.Logger:
    """A logger that says nothing: the client would log the URL. Errors reach the caller as exceptions."""
    return logging.Logger("slack", level=logging.CRITICAL + 1)
