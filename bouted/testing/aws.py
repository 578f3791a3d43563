"""A stand-in for AWS on this machine: a real moto server whose spot prices are the ones you give it.

moto (a development dependency) answers EC2, STS, SQS and EventBridge as AWS does, but has one price for
everything and no pricing, placement scores or EC2 quotas; these are what this adds.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bouted.testing.aws_json import json_answer
from bouted.testing.aws_moto import a_type, seeded_ec2, setting
from bouted.testing.aws_seed import SeededAws, SpotChange, a_product
from bouted.testing.http import stand_in

__all__ = ["SeededAws", "SpotChange", "a_product", "a_type", "seeded_aws"]


@contextmanager
def seeded_aws() -> Iterator[SeededAws]:
    """AWS until the block ends; one at a time in a process, for moto has one EC2."""
    from moto.server import ThreadedMotoServer

    aws = SeededAws()
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        stack.enter_context(_read_once())
        stack.enter_context(seeded_ec2(aws))
        aws.json_url = stack.enter_context(stand_in(lambda asked: json_answer(aws, asked))).url
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        stack.callback(server.stop)
        aws.url = "http://{}:{}".format(*server.get_host_and_port())
        yield aws


@contextmanager
def _read_once() -> Iterator[None]:
    """boto3 reads its descriptions of AWS, some megabytes, once and not once per session."""
    import botocore.loaders

    loader = botocore.loaders.create_loader()
    with setting(botocore.loaders, "create_loader", lambda search_path=None: loader):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """The server's line per request is not shown."""
    log = logging.getLogger("werkzeug")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
