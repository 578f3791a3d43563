"""A stand-in for Slack's incoming webhooks on this machine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

from bouted.testing.http import Asked, Reply, stand_in


class Answer(NamedTuple):
    """A status, a body and headers."""

    status: int
    said: str
    headers: Mapping[str, str] = MappingProxyType({})


SECRET_PATH = "/services/T00/B00/secret"
TAKEN = Answer(200, "ok")
REFUSED = Answer(404, "no_service")


class SlackStandIn:
    """Gives `answers` one by one, the last one for ever. `got` has each message, `told` its text.

    `url` is the webhook while the stand-in runs.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.got: list[dict[str, str]] = []
        self.url = ""

    @property
    def told(self) -> list[str]:
        """The texts so far."""
        return [message["text"] for message in self.got]

    def reply(self, asked: Asked) -> Reply:
        """Take the message, give the next answer."""
        self.got.append(asked.json())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Reply(said=answer.said.encode(), status=answer.status, headers=answer.headers)


@contextmanager
def slack(*answers: Answer) -> Iterator[SlackStandIn]:
    """A stand-in that answers until the block ends; without `answers` it takes every message."""
    webhook = SlackStandIn(answers or (TAKEN,))
    with stand_in(webhook.reply) as server:
        webhook.url = f"{server.url}{SECRET_PATH}"
        yield webhook
