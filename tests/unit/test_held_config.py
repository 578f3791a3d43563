"""An edit of the config is in force whole or not at all, and a person hears once why it is not."""

from decimal import Decimal
from pathlib import Path

import pytest

from bouted.config.change import ConfigChange, Scope
from bouted.config.problems import ConfigErrors
from bouted.config.schema import Mode
from bouted.daemon.held_config import Edit, HeldConfig
from bouted.daemon.once import propose
from bouted.daemon.parts import load
from bouted.daemon.run import run
from bouted.testing.deployment import Deployment

NOTHING = Edit()


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    return deployment


@pytest.fixture
def held(deployment: Deployment) -> HeldConfig:
    return HeldConfig(load(deployment.config_path))


def swap(deployment: Deployment, old: str, new: str) -> None:
    text = deployment.config_path.read_text()
    assert old in text
    deployment.config_path.write_text(text.replace(old, new))


def test_a_file_that_did_not_change_is_no_edit(held: HeldConfig) -> None:
    before = held.loaded
    assert held.reload() == NOTHING
    assert held.loaded is before


def test_a_comment_is_no_edit(deployment: Deployment, held: HeldConfig) -> None:
    swap(deployment, "version: 1", "# ours\nversion: 1")
    assert held.reload() == NOTHING


def test_a_good_edit_is_in_force_at_once(deployment: Deployment, held: HeldConfig) -> None:
    deployment.write_config(budget="50", mode="advise")
    edit = held.reload()
    paths = ("budget.surge_usd_per_hour", "budget.usd_per_hour", "mode")
    assert edit == Edit(change=ConfigChange(paths=paths, scope=Scope.REPLAN))
    assert held.config.mode is Mode.ADVISE
    assert held.limits().cap_usd_per_hour == Decimal(50)
    assert held.reload() == NOTHING


def test_where_models_may_run_follows_the_edit(deployment: Deployment, held: HeldConfig) -> None:
    swap(deployment, "name: large,", "name: large, min_replicas: 2,")
    held.reload()
    assert [(rules.name, rules.min_replicas) for rules in held.rules()] == [("small", 1), ("large", 2)]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version: 1", "version: [1", "bouted.yaml"),
        ("usd_per_hour: 40", "usd_per_hour: -40", "budget.usd_per_hour"),
        ("spec: llama-3.1-70b", "spec: llama-3.1-71b", "llama-3.1-71b"),
        ("budget: {", "budgte: {", "budgte"),
        ("{name: file, path: prices.csv}", "{name: file}", "file"),
    ],
    ids=[
        "not YAML",
        "a value out of range",
        "an unknown model",
        "an unknown key",
        "a source without its file",
    ],
)
def test_a_broken_edit_keeps_the_last_good_config_and_says_so_once(
    old: str, new: str, says: str, deployment: Deployment, held: HeldConfig
) -> None:
    before = held.loaded
    swap(deployment, old, new)
    edit = held.reload()
    assert edit.rejected.startswith("config edit rejected: ")
    assert says in edit.rejected
    assert (edit.change, edit.feeds) == (None, None)
    assert held.loaded is before
    assert held.reload() == NOTHING
    assert held.error == edit.rejected


def test_an_edit_to_weights_that_the_launcher_could_not_load_is_rejected(deployment: Deployment) -> None:
    swap(deployment, "{boot_s: 0.2}", "{boot_s: 0.2, engines: {}}")
    for spec in ("llama-3.1-8b", "llama-3.1-70b"):
        swap(deployment, f"spec: {spec}", f"spec: {spec}, weights: s3://ours/{spec}")
    held = HeldConfig(load(deployment.config_path))
    assert held.reload() == NOTHING
    swap(deployment, ", weights: s3://ours/llama-3.1-70b", "")
    rejected = held.reload().rejected
    assert "models[1].weights: meta-llama/Llama-3.1-70B-Instruct is gated and there is no token" in rejected
    assert held.config.models[1].weights == "s3://ours/llama-3.1-70b"


def test_only_what_plans_or_rents_needs_a_launcher_that_could_start_the_models(
    deployment: Deployment,
) -> None:
    swap(deployment, "{boot_s: 0.2}", "{boot_s: 0.2, engines: {}}")
    for starts in (run, lambda path: propose(path, lambda progress: None)):
        with pytest.raises(ConfigErrors, match="is gated and there is no token"):
            starts(deployment.config_path)
    assert not deployment.state_dir.exists()
    assert load(deployment.config_path).config.launcher.options["engines"] == {}, "so `down` goes on"


def test_a_config_that_is_gone_is_a_broken_edit(deployment: Deployment, held: HeldConfig) -> None:
    deployment.config_path.unlink()
    assert str(deployment.config_path) in held.reload().rejected
    assert held.config.deployment == "test"


def test_another_mistake_is_said_too(deployment: Deployment, held: HeldConfig) -> None:
    deployment.write_config(budget="-1")
    first = held.reload().rejected
    deployment.write_config(budget="-2")
    second = held.reload().rejected
    assert "-1" in first
    assert "-2" in second


def test_a_mended_config_is_no_longer_in_error(deployment: Deployment, held: HeldConfig) -> None:
    deployment.write_config(budget="-1")
    broken = held.reload().rejected
    deployment.write_config()
    assert held.reload() == NOTHING
    assert held.error == ""
    deployment.write_config(budget="-1")
    assert held.reload().rejected == broken


def test_an_edit_that_needs_a_restart_is_left_out_whole_and_says_what_it_is(
    deployment: Deployment, held: HeldConfig
) -> None:
    before = held.loaded
    deployment.port += 1
    deployment.write_config(budget="50")
    edit = held.reload()
    assert edit.rejected.startswith("restart bouted to take up the change of ")
    assert "listen.gateway_port" in edit.rejected
    assert held.loaded is before
    assert held.limits().cap_usd_per_hour == Decimal(40)
    assert held.reload() == NOTHING
    assert held.error == edit.rejected


def test_new_price_sources_are_handed_over(deployment: Deployment, held: HeldConfig) -> None:
    swap(deployment, "{name: snapshot}, ", "")
    edit = held.reload()
    assert edit.feeds is not None
    assert [feed.source.name.partition(":")[0] for feed in edit.feeds] == ["file"]
    assert edit.change is not None
    assert edit.change.scope is Scope.LIVE


def test_price_sources_that_did_not_change_are_not_opened_anew(
    deployment: Deployment, held: HeldConfig
) -> None:
    deployment.write_config(quality_min="0.7")
    edit = held.reload()
    assert edit.change == ConfigChange(paths=("targets.quality_min",), scope=Scope.REPLAN)
    assert edit.feeds is None


def test_new_content_of_the_evals_is_an_edit_that_is_planned_for(
    deployment: Deployment, held: HeldConfig
) -> None:
    evals = deployment.folder / "evals.jsonl"
    assert held.watched() == (deployment.config_path,)
    evals.write_text("one\n")
    swap(deployment, "synthetic: true", "evals_file: evals.jsonl")
    held.reload()
    assert held.watched() == (deployment.config_path, evals)
    assert held.reload() == NOTHING
    evals.write_text("two\n")
    assert held.reload() == Edit(change=ConfigChange(paths=("routing.evals_hash",), scope=Scope.REPLAN))
    assert held.reload() == NOTHING
