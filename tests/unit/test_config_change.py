"""What an edit changes and how far it reaches."""

from pathlib import Path

import pytest

from bouted.config.change import SCOPES, Scope, config_change, planning_hash, scope_of
from bouted.config.fields import Surroundings
from bouted.config.load import parse_config
from bouted.config.schema import Config

BASE = """\
version: 1
deployment: prod
mode: advise
budget: {usd_per_hour: 25, usd_per_month: 900}
targets: {e2e_p95_s: 12, quality_min: 0.8}
workload: {rate_per_s: 4, prompt_tokens: 300, output_tokens: 120, window_s: 300}
models:
  - {name: small, spec: a}
  - {name: large, spec: b}
routing: {synthetic: true}
supply: {owned: [{name: rack1, gpu: L40S, gpu_count: 4}]}
prices: {sources: [{name: snapshot}], step_pct: 10}
changes: {drain_s: 30, start_hours: 0.1}
launcher: {name: local, options: {boot_s: 2}}
listen: {gateway_port: 8080}
alerts: {slack: {budget_pct: [80, 100]}}
"""


def parse(text: str) -> Config:
    return parse_config(text, around=Surroundings(), file=Path("/c.yaml"), state_dir=Path("/s"))


@pytest.mark.parametrize(
    ("old", "new", "paths", "scope"),
    [
        ("version: 1", "version: 1 # again", (), Scope.NONE),
        ("usd_per_hour: 25", "usd_per_hour: 25.00, surge_usd_per_hour: 12.5", (), Scope.NONE),
        ("mode: advise", "mode: apply", ("mode",), Scope.LIVE),
        ("usd_per_month: 900", "usd_per_month: 800", ("budget.usd_per_month",), Scope.LIVE),
        ("window_s: 300", "window_s: 60", ("workload.window_s",), Scope.LIVE),
        ("step_pct: 10", "step_pct: 5", ("prices.step_pct",), Scope.LIVE),
        ("[{name: snapshot}]", "[{name: snapshot}, {name: file, path: a}]",
         ("prices.sources[file]",), Scope.LIVE),
        ("drain_s: 30", "drain_s: 5", ("changes.drain_s",), Scope.LIVE),
        ("[80, 100]", "[90]", ("alerts.slack.budget_pct",), Scope.LIVE),
        ("usd_per_hour: 25", "usd_per_hour: 20, surge_usd_per_hour: 12.5",
         ("budget.usd_per_hour",), Scope.REPLAN),
        ("quality_min: 0.8", "quality_min: 0.9", ("targets.quality_min",), Scope.REPLAN),
        ("rate_per_s: 4", "rate_per_s: 5", ("workload.rate_per_s",), Scope.REPLAN),
        ("spec: b", "spec: c", ("models[large].spec",), Scope.REPLAN),
        ("  - {name: large, spec: b}\n", "", ("models[large]",), Scope.REPLAN),
        ("gpu_count: 4", "gpu_count: 8", ("supply.owned[rack1].gpu_count",), Scope.REPLAN),
        ("gpu_count: 4", "gpu_count: 4, usd_per_hour: 1",
         ("supply.owned[rack1].usd_per_hour",), Scope.REPLAN),
        ("gpu_count: 4}]", "gpu_count: 4}], egress: [{from: aws, to: gcp, usd_per_gib: 0.1}]",
         ("supply.egress",), Scope.REPLAN),
        ("spec: b", "spec: b, weights_from: aws/us-east-1", ("models[large].weights_from",), Scope.REPLAN),
        ("start_hours: 0.1", "start_hours: 0.2", ("changes.start_hours",), Scope.REPLAN),
        ("start_hours: 0.1", "start_hours: 0.1, fetch_gib_per_s: 2",
         ("changes.fetch_gib_per_s",), Scope.REPLAN),
        ("start_hours: 0.1", "start_hours: 0.1, price_life_hours: 9",
         ("changes.price_life_hours",), Scope.REPLAN),
        ("e2e_p95_s: 12", "e2e_p95_s: 12, classes: [{name: long, prompt_tokens_from: 9, ttft_p95_ms: 9}]",
         ("targets.classes[long]",), Scope.REPLAN),
        ("supply: {", "supply: {spot: {max_share_per_pool: 0.3}, ",
         ("supply.spot.max_share_per_pool",), Scope.REPLAN),
        ("supply: {", "supply: {quotas: [{cloud: aws, gpu: L4, market: spot, gpus: 8}], ",
         ("supply.quotas",), Scope.REPLAN),
        ("launcher:", "planner: {rule: knee}\nlauncher:", ("planner.rule",), Scope.REPLAN),
        ("launcher:", "planner: {risk: cvar, cvar_share: 0.5}\nlauncher:",
         ("planner.cvar_share", "planner.risk"), Scope.REPLAN),
        ("launcher:", "planner: {scenarios: 5, groups: 2}\nlauncher:",
         ("planner.groups", "planner.scenarios"), Scope.REPLAN),
        ("launcher:", "planner: {seed: 5, deadline_s: 2, sweep: 9, evaluations: 0}\nlauncher:",
         ("planner.deadline_s", "planner.evaluations", "planner.seed", "planner.sweep"), Scope.LIVE),
        ("deployment: prod", "deployment: test", ("deployment",), Scope.RESTART),
        ("boot_s: 2", "boot_s: 3", ("launcher.options.boot_s",), Scope.RESTART),
        ("gateway_port: 8080", "gateway_port: 80", ("listen.gateway_port",), Scope.RESTART),
    ],
)  # fmt: skip
def test_an_edit_names_what_it_changed_and_how_far_that_reaches(
    old: str, new: str, paths: tuple[str, ...], scope: Scope
) -> None:
    assert old in BASE
    before, after = parse(BASE), parse(BASE.replace(old, new))
    change = config_change(before, after)
    assert (change.paths, change.scope) == (paths, scope)
    assert config_change(after, before).paths == paths


def test_the_widest_scope_of_several_edits_holds() -> None:
    change = config_change(parse(BASE), parse(BASE.replace("advise", "apply").replace("spec: b", "spec: c")))
    assert change.paths == ("mode", "models[large].spec")
    assert change.scope is Scope.REPLAN


def test_models_in_another_order_are_a_change() -> None:
    lines = BASE.splitlines()
    at = lines.index("  - {name: small, spec: a}")
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    assert config_change(parse(BASE), parse("\n".join(lines))).paths == ("models",)


def test_the_planning_hash_moves_only_with_what_planning_reads() -> None:
    base = planning_hash(parse(BASE))
    for old, new, moves in (
        ("mode: advise", "mode: apply", False),
        ("drain_s: 30", "drain_s: 5", False),
        ("gateway_port: 8080", "gateway_port: 80", False),
        ("usd_per_hour: 25", "usd_per_hour: 20", True),
        ("spec: b", "spec: c", True),
        ("gpu_count: 4", "gpu_count: 8", True),
        ("launcher:", "planner: {deadline_s: 5}\nlauncher:", False),
        ("launcher:", "planner: {rule: preference, prefer: {quality: 1}}\nlauncher:", True),
    ):
        assert (planning_hash(parse(BASE.replace(old, new))) != base) is moves, new


def test_new_content_of_the_evals_file_is_an_edit_that_plans_depend_on(tmp_path: Path) -> None:
    evals = tmp_path / "evals.jsonl"
    text = BASE.replace("synthetic: true", f"evals_file: {evals}")
    evals.write_text("one\n")
    before, same = parse(text), parse(text)
    evals.write_text("two\n")
    after = parse(text)
    assert config_change(before, same).scope is Scope.NONE
    change = config_change(before, after)
    assert (change.paths, change.scope) == (("routing.evals_hash",), Scope.REPLAN)
    assert planning_hash(before) == planning_hash(same) != planning_hash(after)


def test_every_key_of_the_schema_has_a_scope_and_every_scope_a_key() -> None:
    tops = set(Config.model_fields)
    assert {key for key, _ in SCOPES if "." not in key} == tops
    dumped = parse(BASE).model_dump()
    for key, _ in SCOPES:
        section, _, inner = key.partition(".")
        assert not inner or inner in dumped[section], key
    with pytest.raises(KeyError):
        scope_of("nowhere.at_all")
