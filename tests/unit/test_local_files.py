"""The files that the local launcher and its engines share."""

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bouted.providers.local_files import (
    FOREVER,
    EngineSpec,
    ReplicaFiles,
    read_json,
    read_lease,
    write_json,
    write_lease,
    write_whole,
)

from bouted.testing.orders import EASY_COSTS


def test_a_file_is_replaced_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b"\xff\xfe"])
def test_a_file_that_is_not_a_json_object_reads_as_empty(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "it.json").write_bytes(body)
    assert read_json(tmp_path / "it.json") == {}
    assert read_json(tmp_path / "missing.json") == {}


def test_an_engine_spec_comes_back_as_it_was_written(tmp_path: Path) -> None:
    spec = EngineSpec(
        replica="r",
        node="n",
        shape="small@L4:tp1pp1:bf16:vllm",
        served_model="small",
        costs=EASY_COSTS,
        time_scale=2.0,
        shutdown_timeout_s=4.0,
    )
    spec.write(tmp_path / "r.spec.json")
    assert EngineSpec.read(tmp_path / "r.spec.json") == spec
    assert asdict(spec.costs)["evidence"] == "measured"
    assert EngineSpec.read(tmp_path / "gone.spec.json") is None


@pytest.mark.parametrize("until", [datetime(2026, 11, 1, 12, 0, 0, 5, tzinfo=UTC), FOREVER])
def test_a_lease_comes_back_as_it_was_written(tmp_path: Path, until: datetime) -> None:
    write_lease(tmp_path, until)
    assert read_lease(tmp_path) == until


@pytest.mark.parametrize("value", [{}, {"until": 5}, {"until": "soon"}])
def test_a_lease_that_says_nothing_usable_is_none(tmp_path: Path, value: dict[str, object]) -> None:
    write_json(tmp_path / "lease.json", value)
    assert read_lease(tmp_path) is None
    assert read_lease(tmp_path / "missing") is None


def test_the_process_of_a_replica_is_known_while_it_is_that_process(tmp_path: Path) -> None:
    files = ReplicaFiles(folder=tmp_path, name="r")
    assert files.read_process() is None
    files.write_pid(os.getpid())
    process = files.read_process()
    assert process is not None
    assert process.pid == os.getpid()
    write_json(files.pid, {"pid": os.getpid(), "start_ticks": process.start_ticks + 1})
    assert files.read_process() is None
