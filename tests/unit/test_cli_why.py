"""`bouted why` and `bouted pareto` on a store with plans in it."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bouted.cli.main import run
from bouted.codec import dump
from bouted.perf.profile import Metric
from bouted.planner.design import Frontier
from bouted.planner.plan import Plan, PlanStatus
from bouted.planner.problem import PlanningProblem
from bouted.planner.resolve import resolve
from bouted.store.documents import put_document
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store
from bouted.store.plans import save_plan, set_desired_plan
from bouted.testing.builders import a_problem, a_shape, a_table, rules, targets
from bouted.testing.fleet import START, an_offer
from bouted.testing.store import a_plan, fresh_store

PROBLEM = a_problem(
    (an_offer("aws", usd_per_hour="1.00"), an_offer("gcp", gpu="H100", usd_per_hour="3.00")),
    a_table({a_shape("small"): 4.0, a_shape("small", "H100"): 8.0}),
    (rules("small", least=1),),
    wanted=targets(e2e=3.0),
)
FRONT = resolve(PROBLEM)


@dataclass(frozen=True)
class Desk:
    """A state folder with a store, and the CLI beside it."""

    folder: Path
    store: Store
    capfd: pytest.CaptureFixture[str]

    def run(self, *args: str) -> tuple[int, str, str]:
        code = run([*args, "--state", str(self.folder)])
        said = self.capfd.readouterr()
        return code, said.out, said.err

    def plan(self, plan_id: str, status: PlanStatus, *, minute: int = 0, front: bool = True) -> Plan:
        best = FRONT.designs[0]
        plan = replace(
            a_plan(self.store, plan_id, created_at=START + timedelta(minutes=minute)),
            design=best.design,
            estimate=best.estimate,
            objective=Metric.E2E,
            problem_hash=put_document(self.store, "problem", dump(PlanningProblem, PROBLEM)),
            frontier_hash=put_document(self.store, "frontier", dump(Frontier, FRONT)) if front else "",
        )
        save_plan(self.store, plan, status)
        return plan


@pytest.fixture
def desk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    with closing(fresh_store(tmp_path)) as store:
        yield Desk(folder=tmp_path, store=store, capfd=capfd)


def test_why_answers_every_question_of_a_stored_plan(desk: Desk) -> None:
    desk.plan("aaa111", PlanStatus.PROPOSED)
    code, out, _ = desk.run("why")
    assert code == 0
    assert out.startswith("plan aaa111 ")
    for section in (
        "WHAT BINDS",
        "money ",
        "WHY NOT",
        "ASSUMED PRICE OF",
        "ASSUMED STEP TIMES OF",
        "quality ",
    ):
        assert f"\n{section}" in out
    assert max(map(len, out.splitlines())) <= 100


def test_why_prints_nothing_but_json_where_json_is_asked_for(desk: Desk) -> None:
    """Solvers write to the standard output behind Python's back; `capfd` sees that too."""
    desk.plan("aaa111", PlanStatus.PROPOSED)
    code, out, _ = desk.run("why", "--json")
    found = json.loads(out)
    assert (code, found["plan"]) == (0, "aaa111")
    assert {item["gpu"] for item in found["gpus"]} == {"L4", "H100"}
    assert all(item["saves_usd_per_hour"] is not None for item in found["constraints"])


def test_why_of_one_gpu_answers_that_alone(desk: Desk) -> None:
    desk.plan("aaa111", PlanStatus.PROPOSED)
    code, out, _ = desk.run("why", "--gpu", "h100")
    assert code == 0
    assert "H100" in out
    assert "WHAT BINDS" not in out


def test_the_plan_in_force_comes_before_a_newer_proposal_and_an_id_before_both(desk: Desk) -> None:
    desk.plan("aaa111", PlanStatus.PROPOSED)
    desk.plan("bbb222", PlanStatus.PROPOSED, minute=1)
    desk.plan("ccc333", PlanStatus.HELD, minute=2)
    assert desk.run("pareto")[1].startswith("front of plan bbb222")
    token = take_lease(desk.store, DAEMON_LEASE, "test", START, 60.0)
    set_desired_plan(desk.store.fenced(DAEMON_LEASE, token), "aaa111")
    assert desk.run("pareto")[1].startswith("front of plan aaa111")
    assert desk.run("pareto", "ccc")[1].startswith("front of plan ccc333")


def test_pareto_writes_a_page_and_prints_json(desk: Desk) -> None:
    desk.plan("aaa111", PlanStatus.PROPOSED)
    page = desk.folder / "front.html"
    code, out, err = desk.run("pareto", "--html", str(page))
    assert (code, out, err) == (0, "", f"wrote {page}\n")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    found = json.loads(desk.run("pareto", "--json")[1])
    assert len(found["designs"]) == len(FRONT.designs)
    assert [item["chosen"] for item in found["designs"]].count(True) == 1


@pytest.mark.parametrize("command", ["why", "pareto"])
def test_without_a_plan_the_way_to_one_is_told(desk: Desk, command: str) -> None:
    code, _, err = desk.run(command)
    assert code == 1
    assert "there is no plan yet" in err
    assert "bouted plan" in err


def test_a_plan_of_an_older_bouted_has_no_front_to_draw(desk: Desk) -> None:
    desk.plan("aaa111", PlanStatus.PROPOSED, front=False)
    code, _, err = desk.run("pareto")
    assert code == 1
    assert "the front of plan aaa111 was not kept" in err
    assert desk.run("why", "--gpu", "H100")[0] == 0
