"""The prober asks every engine at once, whatever their number, and tells who does not answer since when."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bouted.daemon.health import HealthProber
from bouted.reconcile.launcher import Seen, SeenReplica
from bouted.reconcile.observe import Health
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import free_port

HERE = "HERE"
METRICS = b'vllm:num_requests_running{model="m"} 2.0\nvllm:num_requests_waiting{model="m"} 1.0\n'


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks HTTP as far as an engine must, until the other side hangs up."""
    while head := await reader.read(65536):
        path = head.split(b" ", 2)[1]
        body = METRICS if path.endswith(b"/metrics") else b""
        status = b"503 Sick" if b"/sick" in path and not body else b"200 OK"
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def seen(**endpoints: str) -> Seen:
    replicas = (SeenReplica(name=name, node="n", endpoint=endpoint) for name, endpoint in endpoints.items())
    return Seen(nodes=(), replicas=tuple(replicas))


def probed(*looks: Seen, clock: ManualClock | None = None) -> list[tuple[Health, ...]]:
    """What each of these looks finds, five seconds apart. HERE in an endpoint is an engine that is well."""
    clock = clock or ManualClock()

    async def ask() -> list[tuple[Health, ...]]:
        talks: list[asyncio.Task[None]] = []

        def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            talks.append(asyncio.create_task(_answer(reader, writer)))

        server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=512)
        here = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        prober = HealthProber(clock)
        found = []
        for look in looks:
            asked = (replace(r, endpoint=r.endpoint.replace(HERE, here)) for r in look.replicas)
            found.append(await prober.probe(replace(look, replicas=tuple(asked))))
            clock.advance(5)
        await prober.close()
        await asyncio.gather(*talks)
        server.close()
        return found

    return asyncio.run(ask())


def test_an_engine_says_how_much_it_runs() -> None:
    ((answer,),) = probed(seen(one=HERE))
    assert answer == Health(replica="one", ok=True, running=2, waiting=1)


def test_an_engine_that_answers_with_an_error_is_not_well() -> None:
    ((answer,),) = probed(seen(one=f"{HERE}/sick"))
    assert not answer.ok
    assert not answer.refused


def test_where_nobody_listens_the_first_failure_is_remembered() -> None:
    clock = ManualClock()
    first, dead = clock.now(), seen(one=f"http://127.0.0.1:{free_port()}")
    looks = probed(dead, dead, clock=clock)
    assert [(a.ok, a.refused, a.failing_since) for (a,) in looks] == [(False, True, first)] * 2
    assert clock.now() - first == timedelta(seconds=10)


@pytest.mark.parametrize("endpoint", ["http://[::1", "ftp://127.0.0.1", "nonsense"])
def test_an_endpoint_that_is_none_is_an_engine_that_is_not_well(endpoint: str) -> None:
    ((answer,),) = probed(seen(one=endpoint))
    assert not answer.ok


def test_two_hundred_engines_are_well_at_once() -> None:
    many = seen(**{f"r{number}": f"{HERE}/{number}" for number in range(200)})
    for answers in probed(many, many):
        assert [answer.ok for answer in answers] == [True] * 200


def test_who_is_seen_no_more_is_asked_no_more() -> None:
    assert [len(answers) for answers in probed(seen(one=HERE), seen(), seen(one=HERE))] == [1, 0, 1]


def test_a_first_failure_later_than_now_was_before_the_clock_was_set_back_and_counts_from_now() -> None:
    class SetBack(ManualClock):
        def advance(self, seconds: float) -> datetime:
            self._now -= timedelta(days=1)
            return self._now

    first, dead = ManualClock().now(), seen(one=f"http://127.0.0.1:{free_port()}")
    looks = probed(dead, dead, clock=SetBack())
    assert [answer.failing_since for (answer,) in looks] == [first, first - timedelta(days=1)]
