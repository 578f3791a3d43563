"""What a start really fetched reaches the planner: from the shell on the machine to the next start's cost."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from bouted.providers.engine_choice import Engines
from bouted.providers.local_kept import KeptLauncher

from bouted.reconcile.launcher import SeenReplica
from bouted.reconcile.observe import observe
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.fetches import usual_gib
from bouted.store.fleet import add_node, add_replica, load_fleet, note_told
from bouted.testing.fleet import START, limits
from bouted.testing.orders import a_node_order, a_replica_order
from bouted.testing.processes import end_kept, until
from bouted.testing.store import a_node, a_replica, fresh_store

MIB = 2**20
HF = f"""#!/bin/sh
mkdir -p "$4" && head -c {64 * MIB} /dev/zero >"$4/model.safetensors"
"""


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeptLauncher]:
    """This machine, with an `hf` that brings 64 MiB."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "hf").write_text(HF)
    (programs / "hf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    paced = {
        "program": [sys.executable, "-P", "-m", "bouted.providers.paced_engine"],
        "fetch": True,
        "cache": str(tmp_path / "weights"),
    }
    made = KeptLauncher(
        tmp_path / "local", "ours", Engines.from_config({"vllm": paced}, "engines"), boot_s=0.1
    )
    yield made
    made.close()
    end_kept(tmp_path)


def test_bytes_and_seconds_go_from_the_machine_into_the_store(launcher: KeptLauncher, tmp_path: Path) -> None:
    def ready(name: str) -> SeenReplica:
        until(lambda: any(one.name == name and one.endpoint for one in launcher.seen().replicas))
        return next(one for one in launcher.seen().replicas if one.name == name)

    node, orders = a_node_order(gpus=2), [a_replica_order("r1"), a_replica_order("r2")]
    launcher.launch(node)
    until(lambda: all(one.up for one in launcher.seen().nodes))
    for order in orders:
        launcher.start_replica(order)
        ready(order.name)
    seen = launcher.seen()
    first, second = (one.fetched for one in seen.replicas)
    assert first is not None
    assert second is not None
    assert first.gib == pytest.approx(64 / 1024, rel=0.01)
    assert second.gib == 0, "all was there"
    assert 0 < first.seconds < 60
    with closing(fresh_store(tmp_path)) as store:
        kept = replace(a_node(), name=node.name, launcher=launcher.name, status=NodeStatus.UP)
        add_node(store, kept)
        for order in orders:
            row = replace(a_replica(kept), name=order.name, shape=order.shape, status=ReplicaStatus.STARTING)
            add_replica(store, row)
        told = observe(load_fleet(store, START), seen, (), limits(), START).told
        assert {name: words.fetched for name, words in told.items()} == {"r1": first, "r2": second}
        note_told(store, told)
        again = observe(load_fleet(store, START), seen, (), limits(), START)
        assert again.told == {}, "what is known is not written again"
        shape = orders[0].shape
        assert usual_gib(store) == {(shape.model, shape.precision): first.gib}
