"""Spot interruptions and rebalance recommendations, as EventBridge puts them into a queue."""

import json
import logging
import re
from datetime import datetime, timedelta

from bouted.errors import NotConfigured
from bouted.market.notices import Notice, NoticeKind

from .aws_client import LONGEST_POLL_S, AwsClient
from .aws_read import list_of, moment_of, part_of, text_of

log = logging.getLogger(__name__)

WARNED = timedelta(minutes=2)  # from the warning to the end
_AT_ONCE = 10  # what SQS gives at most
_KINDS = {
    "EC2 Spot Instance Interruption Warning": NoticeKind.INTERRUPTION,
    "EC2 Instance Rebalance Recommendation": NoticeKind.REBALANCE,
}
_REGION = re.compile(r"//sqs\.([a-z0-9-]+)\.")
_ZONE = re.compile(r"arn:aws[a-z-]*:ec2:([a-z0-9-]+[a-z]):")


def queue_region(url: str, otherwise: str) -> str:
    """The region that a queue's address names; `otherwise` for addresses that name none."""
    found = _REGION.search(url)
    return found[1] if found else otherwise


def read_notice(body: str, receipt: str) -> Notice | None:
    """The notice in one message; None for anything else. Its zone is AWS's name for it, not the id."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return None
    kind = _KINDS.get(text_of(event, "detail-type"))
    instance = text_of(part_of(event, "detail"), "instance-id")
    region, at = text_of(event, "region"), moment_of(text_of(event, "time"))
    if kind is None or not instance or not region or at is None:
        return None
    zone = _ZONE.match(next((arn for arn in list_of(event, "resources") if isinstance(arn, str)), ""))
    return Notice(
        provider="aws",
        region=region,
        zone=zone[1] if zone else "",
        instance=instance,
        kind=kind,
        at=at,
        deadline=_after(at) if kind is NoticeKind.INTERRUPTION else None,
        receipt=receipt,
    )


class NoticeQueue:
    """One queue, long-polled. Messages that are no notice are taken off it at once and logged."""

    def __init__(self, client: AwsClient, url: str, region: str) -> None:
        self._client = client
        self._url = url
        self._region = queue_region(url, region)

    def receive(self, wait_s: float) -> tuple[Notice, ...]:
        """What came in, waiting for the first up to `wait_s` or 20 s, whichever is shorter."""
        if not self._url:
            raise NotConfigured("no queue for notices", hint="set the option notices_queue_url")
        said = self._client.ask(
            "sqs",
            self._region,
            "receive_message",
            QueueUrl=self._url,
            MaxNumberOfMessages=_AT_ONCE,
            WaitTimeSeconds=int(min(max(wait_s, 0.0), LONGEST_POLL_S)),
        )
        notices: list[Notice] = []
        for message in list_of(said, "Messages"):
            receipt = text_of(message, "ReceiptHandle")
            notice = read_notice(text_of(message, "Body"), receipt)
            if notice is not None:
                notices.append(notice)
            elif receipt:
                log.warning("aws: a message that is no notice: %.200r", text_of(message, "Body"))
                self.forget((receipt,))
        return tuple(notices)

    def forget(self, receipts: tuple[str, ...]) -> None:
        """These messages do not come again."""
        for receipt in receipts:
            self._client.ask("sqs", self._region, "delete_message", QueueUrl=self._url, ReceiptHandle=receipt)


def _after(at: datetime) -> datetime | None:
    try:
        return at + WARNED
    except OverflowError:
        return None
