"""How the planner bench turns runs into rows: cells, gains, steps to replan after, charts."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from planner_again import busier, dearer
from planner_charts import Line, line_chart
from planner_compared import Cell, Compared

from bouted.planner.planned import Incumbent, ModelShare, PlannedNode, Template
from bouted.planner.problem import PlanningProblem
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules
from bouted.testing.prices import an_offer

SVG = "{http://www.w3.org/2000/svg}"


def _cell(ours: list[float], **peers: list[float]) -> Cell:
    return Cell(scenario="s", seconds=10.0, volumes={"bouted": ours, **peers})


def _held() -> PlanningProblem:
    """Two nodes at $1 and one at $3 an hour."""
    cheap = an_offer("1", gpu="L4", instance_type="small")
    dear = an_offer("3", gpu="L40S", instance_type="large")
    shapes = {offer.gpu: a_shape("m", offer.gpu) for offer in (cheap, dear)}
    nodes = tuple(
        PlannedNode(
            offer=offer,
            template=Template(gpu=offer.gpu, gpu_count=1, replicas=(shapes[offer.gpu],)),
            ordinal=n,
        )
        for offer, n in ((cheap, 0), (cheap, 1), (dear, 0))
    )
    incumbent = Incumbent(plan_id="p", nodes=nodes, shares=(ModelShare(model="m", share=1.0),))
    table = a_table(dict.fromkeys(shapes.values(), 4.0))
    return a_problem([cheap, dear], table, [rules("m")], workload=a_workload(10.0), incumbent=incumbent)


@pytest.mark.parametrize(
    ("ours", "peers", "below"),
    [
        ([0.5], {"a": [0.4], "b": [0.3]}, -25.0),
        ([0.3], {"a": [0.4], "b": [0.2]}, 25.0),
        ([0.2, 0.4], {"a": [0.1, 0.5]}, 0.0),
        ([0.0], {"a": [0.4]}, 100.0),
        ([0.1], {"a": [0.0]}, -100.0),
        ([0.0], {"a": [0.0]}, 0.0),
    ],
)
def test_a_cell_compares_the_means_over_seeds_with_the_best_peer(
    ours: list[float], peers: dict[str, list[float]], below: float
) -> None:
    assert _cell(ours, **peers).below_percent == pytest.approx(below)


def test_a_tie_is_not_strictly_best() -> None:
    assert not _cell([0.4], a=[0.4]).strictly_best
    assert _cell([0.5], a=[0.4]).strictly_best


def test_the_gain_of_a_cell_is_the_better_of_faster_and_cheaper() -> None:
    cell = Compared(name="c", ours_p95_s=9.0, theirs_p95_s=10.0, ours_usd=6.0, theirs_usd=8.0)
    assert cell.faster_percent == pytest.approx(10.0)
    assert cell.cheaper_percent == pytest.approx(25.0)
    assert cell.gain_percent == pytest.approx(25.0)


def test_a_side_that_finds_nothing_feasible_loses_the_cell_whole() -> None:
    cell = Compared(name="c", ours_p95_s=None, theirs_p95_s=10.0, ours_usd=None, theirs_usd=8.0)
    assert cell.gain_percent == -100.0
    both = replace(cell, theirs_p95_s=None, theirs_usd=None)
    assert both.gain_percent == 0.0


def test_a_price_step_hits_what_the_incumbent_spends_most_on_also_where_it_is_held() -> None:
    problem = dearer(_held())
    assert {offer.gpu: float(offer.usd_per_hour) for offer in problem.offers} == {"L4": 1.0, "L40S": 4.5}
    assert problem.incumbent is not None
    assert sum(float(node.usd_per_hour) for node in problem.incumbent.nodes) == 6.5


def test_a_load_step_asks_for_more_of_the_same_requests() -> None:
    before = _held()
    after = busier(before)
    assert after.workload.rate_per_s == pytest.approx(13.0)
    assert after.workload.rate_high_per_s == pytest.approx(13.0)
    assert after.workload.lengths == before.workload.lengths


def test_a_chart_has_each_series_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "charts" / "one.svg"
    lines = [
        Line(name="a < b", points=((0.0, 0.0), (1.0, 2.0))),
        Line(name="dots", points=((0.5, 1.0), (0.7, 1.0)), joined=False),
    ]
    line_chart(path, "title", "s", "volume", lines)
    drawn = ElementTree.parse(path).getroot()
    assert len(drawn.findall(f"{SVG}polyline")) == 1
    assert len(drawn.findall(f"{SVG}circle")) == 2
    assert {"a < b", "dots", "title"} <= {text.text for text in drawn.findall(f"{SVG}text")}


def test_a_chart_of_nothing_is_an_empty_frame(tmp_path: Path) -> None:
    line_chart(tmp_path / "none.svg", "title", "s", "volume", [Line(name="a", points=())])
    assert ElementTree.parse(tmp_path / "none.svg").getroot().findall(f"{SVG}circle") == []
