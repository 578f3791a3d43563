"""Reading a config: what is right loads exactly, what is wrong is told all at once, by path and line."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import fmean

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouted.config.fields import Surroundings
from bouted.config.goals import declared_scores
from bouted.config.load import config_hash, load_config, parse_config
from bouted.config.locate import locate
from bouted.config.problems import ConfigErrors
from bouted.config.schema import Config, Mode
from bouted.errors import Misconfigured
from bouted.market.allowed import allowed_offers
from bouted.market.offers import Market
from bouted.perf.profile import Metric
from bouted.planner.goals import Preference, Risk, Robustness, Rule
from bouted.planner.pools import may_run
from bouted.planner.terms import Quota, SpotRules

EXAMPLE = Path(__file__).parents[2] / "systemd" / "bouted.yaml.example"
CATALOG = EXAMPLE.parents[1] / "bouted" / "catalog" / "data"
MODELS = ("llama-3.1-8b", "llama-3.1-70b", "qwen2.5-32b")
GPUS = ("L4", "L40S", "A100-80GB", "H100-80GB")

SMALLEST = """\
version: 1
deployment: prod
budget: {usd_per_hour: 25}
targets: {e2e_p95_s: 12}
workload: {rate_per_s: 4, prompt_tokens: 300, output_tokens: 120}
models:
  - {name: small, spec: llama-3.1-8b}
  - {name: large, spec: llama-3.1-70b}
routing: {synthetic: true}
"""


def parse(text: str, folder: Path = Path("/nowhere")) -> Config:
    around = Surroundings(
        folder=folder, models=MODELS, gpus=GPUS, sources=("file", "snapshot"), launchers=("local",)
    )
    return parse_config(text, around=around, file=folder / "bouted.yaml", state_dir=Path("/var/lib/bouted"))


def told(text: str, folder: Path = Path("/nowhere")) -> list[str]:
    """The lines that `text` is refused with."""
    with pytest.raises(ConfigErrors) as caught:
        parse(text, folder)
    return str(caught.value).splitlines()


def edited(old: str, new: str) -> str:
    assert old in SMALLEST
    return SMALLEST.replace(old, new)


def test_quality_may_be_declared_for_every_model_in_place_of_evals() -> None:
    declared = edited("spec: llama-3.1-8b}", "spec: llama-3.1-8b, quality: 0.7}").replace(
        "routing: {synthetic: true}\n", ""
    )
    (line,) = told(declared)
    assert "routing.evals_file: is needed: quality is declared for small and not for large" in line
    config = parse(declared.replace("llama-3.1-70b}", "llama-3.1-70b, quality: 0.9}"))
    assert declared_scores(config.models) == {"small": 0.7, "large": 0.9}


def test_the_example_that_ships_loads_with_the_shipped_catalog(tmp_path: Path) -> None:
    file = tmp_path / "bouted.yaml"
    file.write_text(EXAMPLE.read_text())
    (tmp_path / "evals.jsonl").write_text("")
    config = load_config(
        file,
        known_models=tuple(yaml.safe_load((CATALOG / "models.yaml").read_text())),
        known_gpus=tuple(yaml.safe_load((CATALOG / "gpus.yaml").read_text())),
    )
    assert config.mode is Mode.ADVISE
    assert config.routing.evals_file == tmp_path / "evals.jsonl"


def test_the_example_names_every_key_of_the_schema() -> None:
    written = yaml.safe_load(EXAMPLE.read_text())
    assert set(written) == set(Config.model_fields)
    for name, field in Config.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and hasattr(kind, "model_fields"):
            assert set(written[name]) == set(kind.model_fields), name


def test_what_the_smallest_config_leaves_out_has_a_default() -> None:
    config = parse(SMALLEST)
    assert config.mode is Mode.ADVISE
    assert config.state_dir == Path("/var/lib/bouted")
    assert config.budget.surge_usd_per_hour == Decimal("12.5")
    assert config.budget.usd_per_month is None
    assert config.listen.gateway_host == "127.0.0.1"
    assert [source.name for source in config.prices.sources] == ["snapshot"]


def test_money_is_the_exact_decimal_that_was_written() -> None:
    config = parse(edited("usd_per_hour: 25", "usd_per_hour: 0.1000000000000000055"))
    assert config.budget.usd_per_hour == Decimal("0.1000000000000000055")


OWN_GPU = (
    "a GPU of your own goes under gpus: name, memory_gib, bandwidth_gb_per_s, bf16_tflops, watts, link, "
    "link_gb_per_s, max_fast_group"
)
MY_GPU = (
    "{name: L40, memory_gib: 48, bandwidth_gb_per_s: 864, bf16_tflops: 181, fp8_tflops: 362, watts: 300,"
    " compute_capability: 8.9, link: pcie, link_gb_per_s: 19, max_fast_group: 4}"
)
WRONG = [
    ("targets: {e2e_p95_s: 12}", "targets: {e2e_p95_s: 12, ttft_p95_s: 2}",
     "bouted.yaml:4 targets.ttft_p95_s: unknown key (did you mean ttft_p95_ms?)"),
    ("usd_per_hour: 25", "usd_per_day: 25",
     "bouted.yaml:3 budget.usd_per_day: unknown key (did you mean usd_per_hour?)"),
    ("usd_per_hour: 25", "usd_per_hour: 25, usd_per_year: 9",
     "bouted.yaml:3 budget.usd_per_year: unknown key (did you mean usd_per_hour?)"),
    ("deployment: prod", "deployment: prod\nmod: apply",
     "bouted.yaml:3 mod: unknown key (did you mean mode?)"),
    ("deployment: prod", "deployment: prod\nusd_per_month: 900",
     "bouted.yaml:3 usd_per_month: unknown key (it belongs under budget)"),
    ("usd_per_hour: 25", "usd_per_hour: 25/h",
     "bouted.yaml:3 budget.usd_per_hour: must be a plain number of US dollars an hour, got '25/h' "
     "(the key's name gives the unit: US dollars an hour)"),
    ("usd_per_hour: 25", "usd_per_hour: $25",
     "bouted.yaml:3 budget.usd_per_hour: must be a plain number of US dollars an hour, got '$25' "
     "(write 25 without quotes)"),
    ("e2e_p95_s: 12", "e2e_p95_s: 900ms",
     "bouted.yaml:4 targets.e2e_p95_s: must be a plain number of seconds, got '900ms' "
     "(write 0.9, the unit is in the key's name)"),
    ("e2e_p95_s: 12", "ttft_p95_ms: 1.5s",
     "bouted.yaml:4 targets.ttft_p95_ms: must be a plain number of milliseconds, got '1.5s' "
     "(write 1500, the unit is in the key's name)"),
    ("e2e_p95_s: 12", "e2e_p95_s: true",
     "bouted.yaml:4 targets.e2e_p95_s: must be a plain number of seconds, got true"),
    ("e2e_p95_s: 12", "e2e_p95_s: .inf",
     "bouted.yaml:4 targets.e2e_p95_s: must be a plain number of seconds, got '.inf'"),
    ("e2e_p95_s: 12", "e2e_p95_s: -1",
     "bouted.yaml:4 targets.e2e_p95_s: must be more than 0, got -1"),
    ("e2e_p95_s: 12", "quality_min: 0.8",
     "bouted.yaml:4 targets: needs a latency target (set e2e_p95_s, ttft_p95_ms or tpot_p95_ms)"),
    ("e2e_p95_s: 12", "e2e_p95_s: 12, objective: ttft",
     "bouted.yaml:4 targets.objective: is ttft, for which no target is set (set ttft_p95_ms)"),
    ("e2e_p95_s: 12", "e2e_p95_s: 12, quality_min: 80",
     "bouted.yaml:4 targets.quality_min: must be between 0 and 1, got 80 (write 0.8)"),
    ("usd_per_hour: 25", "usd_per_hour: 0",
     "bouted.yaml:3 budget.usd_per_hour: must be more than 0, got 0"),
    ("budget: {usd_per_hour: 25}", "budget: {}",
     "bouted.yaml:3 budget.usd_per_hour: is required (a number of US dollars an hour)"),
    ("budget: {usd_per_hour: 25}", "budget:",
     "bouted.yaml:3 budget: must be a section of keys, got nothing (remove the key or fill it in)"),
    ("budget: {usd_per_hour: 25}\n", "", "bouted.yaml budget: is required"),
    ("version: 1", "version: 2", "bouted.yaml:1 version: must be 1, got 2 (this bouted reads version 1)"),
    ("deployment: prod", "deployment: Prod_1",
     "bouted.yaml:2 deployment: must be 1 to 16 of a-z, 0-9 and -, got 'Prod_1'"),
    ("deployment: prod", "deployment: prod\nmode: on",
     "bouted.yaml:3 mode: must be one of advise, confirm, apply, got 'on'"),
    ("spec: llama-3.1-8b", "spec: llama-3-8b",
     "bouted.yaml:7 models[0].spec: no model in the catalog is named 'llama-3-8b' "
     "(did you mean llama-3.1-8b? any other model: give the folder with its config.json)"),
    ("spec: llama-3.1-8b", "spec: ./llama",
     "bouted.yaml:7 models[0].spec: there is no '/nowhere/llama' "
     "(a catalog's name, or the folder with a config.json)"),
    ("name: large", "name: small",
     "bouted.yaml:8 models[1].name: 'small' is taken by an earlier one (names must differ)"),
    ("{name: small, spec: llama-3.1-8b}", "{name: small, spec: llama-3.1-8b, engine: vlm}",
     "bouted.yaml:7 models[0].engine: must be one of vllm, sglang, got 'vlm' (did you mean vllm?)"),
    ("{name: small, spec: llama-3.1-8b}", "{name: small, spec: llama-3.1-8b, context_tokens: 400}",
     "bouted.yaml:5 workload.prompt_tokens: with output_tokens passes the 400 context_tokens of small "
     "(raise that model's context_tokens)"),
    ("prompt_tokens: 300", "prompt_tokens: 300.5",
     "bouted.yaml:5 workload.prompt_tokens: must be a whole number, got 300.5"),
    ("synthetic: true", "synthetic: yes",
     "bouted.yaml:9 routing.synthetic: must be true or false, got 'yes'"),
    ("synthetic: true", "synthetic: false",
     "bouted.yaml:9 routing.evals_file: is needed: one JSON line per prompt with each model's score "
     "(or set synthetic: true to try bouted without your own, or declare each model's quality)"),
    ("spec: llama-3.1-8b}", "spec: llama-3.1-8b, quality: 0.7}",
     "bouted.yaml:9 routing: gives evals although quality is declared for small (keep one of them)"),
    ("spec: llama-3.1-8b}", "spec: llama-3.1-8b, quality: 70}",
     "bouted.yaml:7 models[0].quality: must be between 0 and 1, got 70 (write 0.7)"),
    ("synthetic: true", "evals_file: mine.jsonl",
     "bouted.yaml:9 routing.evals_file: there is no file 'mine.jsonl' (looked in /nowhere)"),
    ("routing:", "supply: {clouds: aws}\nrouting:",
     "bouted.yaml:9 supply.clouds: must be a list, like [a, b], got 'aws'"),
    ("routing:", "supply: {gpus: {allow: [H10]}}\nrouting:",
     f"bouted.yaml:9 supply.gpus.allow[0]: 'H10' matches no GPU in the catalog ({OWN_GPU})"),
    ("routing:", "supply: {owned: [{name: r1, gpu: L40, gpu_count: 4}]}\nrouting:",
     "bouted.yaml:9 supply.owned[0].gpu: no GPU in the catalog is named 'L40' "
     f"(did you mean L40S? {OWN_GPU})"),
    ("routing:", f"gpus: [{MY_GPU.replace('bandwidth_gb_per_s: 864, ', '')}]\nrouting:",
     "bouted.yaml:9 gpus[0].bandwidth_gb_per_s: is required (a number of 10^9 bytes a second)"),
    ("routing:", f"gpus: [{MY_GPU}, {MY_GPU}]\nrouting:",
     "bouted.yaml:9 gpus[1].name: 'L40' is taken by an earlier one (names must differ)"),
    ("routing:", f"gpus: [{MY_GPU.replace('watts', 'wats')}]\nrouting:",
     "bouted.yaml:9 gpus[0].wats: unknown key (did you mean watts?)"),
    ("routing:", f"gpus: [{MY_GPU.replace('pcie', 'string')}]\nrouting:",
     "bouted.yaml:9 gpus[0].link: must be one of nvlink, pcie, got 'string'"),
    ("routing:", f"gpus: [{MY_GPU.replace('48', '0')}]\nrouting:",
     "bouted.yaml:9 gpus[0].memory_gib: must be more than 0, got 0"),
    ("routing:", "supply: {owned: [{name: r1, gpu: L4, gpu_count: 1, kind: mine}]}\nrouting:",
     "bouted.yaml:9 supply.owned[0].kind: must be one of owned, reserved, committed, got 'mine'"),
    ("routing:", "supply: {owned: [{name: r1, gpu: L4, gpu_count: 1, provider: aws, instance_type: g6.xlarge,"
     " region: us-east-1}]}\nrouting:",
     "bouted.yaml:9 supply.owned[0].provider: is aws, where nothing is owned "
     "(set kind: reserved (paid while used) or committed (paid either way))"),
    ("routing:", "supply: {owned: [{name: r1, gpu: L4, gpu_count: 1, kind: reserved, provider: aws,"
     " region: us-east-1}]}\nrouting:",
     "bouted.yaml:9 supply.owned[0].instance_type: is needed at aws (the cloud's own name for the machine)"),
    ("routing:", "supply: {owned: [{name: r1, gpu: L4, gpu_count: 1, kind: reserved, provider: aws,"
     " instance_type: g6.xlarge}]}\nrouting:",
     "bouted.yaml:9 supply.owned[0].region: is needed at aws (the cloud's own name for it)"),
    ("routing:", "supply: {owned: [{name: r1, gpu: L4, gpu_count: 1, kind: committed}]}\nrouting:",
     "bouted.yaml:9 supply.owned[0].usd_per_hour: is needed for a committed machine: what one costs an hour, "
     "used or not (kind: owned is for machines that cost nothing more)"),
    ("routing:", "supply: {owned: [{name: r1, gpu: L4, gpu_count: 1, usd_per_hour: -1}]}\nrouting:",
     "bouted.yaml:9 supply.owned[0].usd_per_hour: must be at least 0, got -1"),
    ("routing:", "supply: {owned: [{name: r1, gpu: L4, gpu_count: 1, zone: 'a b'}]}\nrouting:",
     "bouted.yaml:9 supply.owned[0].zone: must be one word of letters, digits, '.', '_' and '-', got 'a b'"),
    ("routing:", "supply: {egress: [{from: 'aws/us-*', to: 'gcp/*', usd_per_gb: 0.09}]}\nrouting:",
     "bouted.yaml:9 supply.egress[0].usd_per_gb: unknown key (did you mean usd_per_gib?)"),
    ("routing:", "supply: {egress: [{form: 'aws/us-*', to: 'gcp/*', usd_per_gib: 0.09}]}\nrouting:",
     "bouted.yaml:9 supply.egress[0].form: unknown key (did you mean from?)"),
    ("routing:", "supply: {egress: [{from: 'aws/us-*', to: 'gcp/*', usd_per_gib: $0.09}]}\nrouting:",
     "bouted.yaml:9 supply.egress[0].usd_per_gib: must be a plain number of US dollars a GiB, got '$0.09' "
     "(write 0.09 without quotes)"),
    ("routing:", "supply: {egress: [{from: 's3://weights', to: 'gcp/*', usd_per_gib: 0}]}\nrouting:",
     "bouted.yaml:9 supply.egress[0].from: must be cloud/region, as a glob, or internet, got 's3://weights' "
     "(like aws/us-*)"),
    ("{name: small, spec: llama-3.1-8b}", "{name: small, spec: llama-3.1-8b, weights_from: aws}",
     "bouted.yaml:7 models[0].weights_from: must be cloud/region or internet, got 'aws' "
     "(like aws/us-east-1: where the bucket with the weights is)"),
    ("routing:", "prices: {sources: [{name: snapshots}]}\nrouting:",
     "bouted.yaml:9 prices.sources[0]: no price source is named 'snapshots' (did you mean snapshot?)"),
    ("routing:", "prices: {sources: []}\nrouting:",
     "bouted.yaml:9 prices.sources: must list at least one"),
    ("routing:", "launcher: {name: k8s}\nrouting:",
     "bouted.yaml:9 launcher: no launcher is named 'k8s' (known: local)"),
    ("routing:", "listen: {gateway_host: 0.0.0.0}\nrouting:",
     "bouted.yaml:9 listen.api_keys_file: is needed: 0.0.0.0 can be reached from other machines "
     "(name a file with one key per line, or listen on 127.0.0.1)"),
    ("routing:", "listen: {gateway_port: 70000}\nrouting:",
     "bouted.yaml:9 listen.gateway_port: must be a port, 0 to 65535 (0: any free one), got 70000"),
    ("routing:", "database: {url: 'postgresql://u:hush@db/b'}\nrouting:",
     "bouted.yaml:9 database.url: holds a password (put the URL in a file and name it in url_file)"),
    ("routing:", "database: {url: 'sqlite:///b.db'}\nrouting:",
     "bouted.yaml:9 database.url: must start with sqlite://// (and an absolute path) or postgresql"),
    ("routing:", "launcher: {name: local, options: {api_key: hush}}\nrouting:",
     "bouted.yaml:9 launcher.options.api_key: secrets stay out of this file "
     "(put it in a file and use api_key_file)"),
    ("routing:", "alerts: {slack: {webhook_file: 'https://hooks.example/hush'}}\nrouting:",
     "bouted.yaml:9 alerts.slack.webhook_file: must name a file that holds the URL, not the URL itself "
     "(secrets stay out of this file)"),
    ("routing:", "safety: {deadman_hours: never}\nrouting:",
     "bouted.yaml:9 safety.deadman_hours: must be a plain number of hours, got 'never'"),
    ("e2e_p95_s: 12", "e2e_p95_s: 12, classes: [{name: long, prompt_tokens_from: 2000}]",
     "bouted.yaml:4 targets.classes[0]: needs a latency target (set e2e_p95_s, ttft_p95_ms or tpot_p95_ms)"),
    ("{e2e_p95_s: 12}", "{classes: [{name: long, prompt_tokens_from: 2000, ttft_p95_ms: 900}]}",
     "bouted.yaml:4 targets: needs a latency target (set e2e_p95_s, ttft_p95_ms or tpot_p95_ms)"),
    ("e2e_p95_s: 12", "e2e_p95_s: 12, classes: [{name: a, prompt_tokens_from: 2000, ttft_p95_ms: 900},"
     " {name: b, prompt_tokens_from: 2000, ttft_p95_ms: 800}]",
     "bouted.yaml:4 targets.classes: b starts at 2000 prompt tokens, a before it at 2000 "
     "(list classes by prompt_tokens_from, shortest prompts first)"),
    ("e2e_p95_s: 12", "e2e_p95_s: 12, classes: [{name: a, prompt_tokens_from: 1, ttft_p95_ms: 900},"
     " {name: a, prompt_tokens_from: 2, ttft_p95_ms: 800}]",
     "bouted.yaml:4 targets.classes[1].name: 'a' is taken by an earlier one (names must differ)"),
    ("e2e_p95_s: 12", "e2e_p95_s: 12, classes: [{name: long, prompt_tokens_from: 4096, ttft_p95_ms: 9}]",
     "bouted.yaml:6 models: have contexts of 4096 tokens, but targets.classes has long from 4096 prompt"
     " tokens (no request is that long: raise context_tokens, or leave the class out)"),
    ("e2e_p95_s: 12", "e2e_p95_s: 12, classes: [{name: a, prompt_tokens_from: 1, ttft_p95_s: 2}]",
     "bouted.yaml:4 targets.classes[0].ttft_p95_s: unknown key (did you mean ttft_p95_ms?)"),
    ("routing:", "supply: {spot: {max_share_per_zone: 50}}\nrouting:",
     "bouted.yaml:9 supply.spot.max_share_per_zone: must be between 0 and 1, got 50 (write 0.5)"),
    ("routing:", "supply: {quotas: [{cloud: aws, gpu: H10, market: spot, gpus: 8}]}\nrouting:",
     "bouted.yaml:9 supply.quotas[0].gpu: no GPU in the catalog is named 'H10' "
     f"(known: L4, L40S, A100-80GB, H100-80GB {OWN_GPU})"),
    ("routing:", "supply: {quotas: [{cloud: aws, gpu: L4, market: owned, gpus: 8}]}\nrouting:",
     "bouted.yaml:9 supply.quotas[0].market: must be spot or on_demand, got 'owned' "
     "(count says how many machines you own)"),
    ("routing:", "supply: {quotas: [{cloud: aws, gpu: L4, market: spot}]}\nrouting:",
     "bouted.yaml:9 supply.quotas[0].gpus: is required"),
    ("routing:", "supply: {quotas: [{cloud: aws, gpu: L4, market: spot, gpus: 8},"
     " {cloud: aws, region: '*', gpu: L4, market: spot, gpus: 9}]}\nrouting:",
     "bouted.yaml:9 supply.quotas: limits L4 spot at aws, regions '*', twice (keep one)"),
    ("routing:", "planner: {rule: fast}\nrouting:",
     "bouted.yaml:9 planner.rule: must be one of cheapest, fastest, knee, preference, got 'fast' "
     "(did you mean fastest?)"),
    ("routing:", "planner: {rule: preference}\nrouting:",
     "bouted.yaml:9 planner.prefer: is needed for rule: preference (like {cost: 1, latency: 1, quality: 2})"),
    ("routing:", "planner: {rule: knee, prefer: {cost: 1}}\nrouting:",
     "bouted.yaml:9 planner.prefer: is given although rule is knee (set rule: preference, or leave it out)"),
    ("routing:", "planner: {rule: preference, prefer: {cost: 0}}\nrouting:",
     "bouted.yaml:9 planner.prefer: weighs nothing (give cost, latency or quality a weight above 0)"),
    ("routing:", "planner: {rule: preference, prefer: {cost: -1, quality: 1}}\nrouting:",
     "bouted.yaml:9 planner.prefer.cost: must be at least 0, got -1"),
    ("routing:", "planner: {risk: mean, cvar_share: 0.1}\nrouting:",
     "bouted.yaml:9 planner.cvar_share: is given although risk is mean (set risk: cvar, or leave it out)"),
    ("routing:", "planner: {risk: cvar, cvar_share: 0}\nrouting:",
     "bouted.yaml:9 planner.cvar_share: must be more than 0, got 0"),
    ("routing:", "planner: {scenarios: 0}\nrouting:",
     "bouted.yaml:9 planner.scenarios: must be at least 1, got 0"),
    ("routing:", "planner: {groups: 5}\nrouting:",
     "bouted.yaml:9 planner.groups: must be at most 4, got 5"),
    ("routing:", "changes: {fetch_gib_per_s: 0}\nrouting:",
     "bouted.yaml:9 changes.fetch_gib_per_s: must be more than 0, got 0"),
    ("routing:", "changes: {price_life_h: 6}\nrouting:",
     "bouted.yaml:9 changes.price_life_h: unknown key (did you mean price_life_hours?)"),
    ("version: 1", "version: 1\nversion: 1",
     "bouted.yaml:2 version: duplicate key, first on line 1 (keep one)"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line"), WRONG, ids=[new.strip() for _, new, _ in WRONG])
def test_one_mistake_gives_one_line_that_names_it(old: str, new: str, line: str) -> None:
    assert told(edited(old, new)) == [line]


def test_no_message_shows_a_secret() -> None:
    for old, new, _ in WRONG:
        assert "hush" not in "\n".join(told(edited(old, new)))
    assert "hush" not in "\n".join(told(edited("routing:", "database: {url: [hush]}\nrouting:")))


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    lines = told(
        SMALLEST.replace("prod", "Prod")
        .replace("usd_per_hour: 25", "usd_per_day: 25")
        .replace("e2e_p95_s: 12", "ttft_p95_s: 12")
        .replace("rate_per_s: 4", "rate_per_s: 4, rate_per_s: 5")
        .replace("name: large, spec: llama-3.1-70b", "name: small, spec: llama")
    )
    assert [line.split(": ")[0] for line in lines] == [
        "bouted.yaml:2 deployment",
        "bouted.yaml:3 budget.usd_per_day",
        "bouted.yaml:4 targets.ttft_p95_s",
        "bouted.yaml:5 workload.rate_per_s",
        "bouted.yaml:8 models[1].name",
        "bouted.yaml:8 models[1].spec",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "bouted.yaml the file is empty (start from systemd/bouted.yaml.example)"),
        ("- 1\n", "bouted.yaml:1 the file must hold keys, like `version: 1`"),
        ("version: 1\n\tmode: apply\n", "bouted.yaml:2 not valid YAML: found character '\\t' that cannot "
         "start any token (indent with spaces, not tabs)"),
        ("budget: {usd_per_hour: 25\nmode: apply\n", "bouted.yaml:2 not valid YAML: expected ',' or '}', "
         "but got ':'"),
        ("a: &x 1\nb: *x\n", "bouted.yaml:2 not valid YAML: aliases are not allowed here"),
        ("version: 1\na: \x07\n", "bouted.yaml:2 not valid YAML: special characters are not allowed"),
        ("a: " + "[" * 700, "bouted.yaml not valid YAML: nested too deeply"),
        ('a: "\\UFFFFFFFF"\n', None),
    ],
    ids=["empty", "a list", "tabs", "an open brace", "aliases", "a bell", "deep nesting", "a bad escape"],
)  # fmt: skip
def test_what_is_not_yaml_is_told_with_its_line(text: str, line: str | None) -> None:
    lines = told(text)
    assert len(lines) == 1
    assert line is None or lines == [line]


def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "directory")):
        with pytest.raises(ConfigErrors, match=why):
            load_config(path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigErrors, match="not UTF-8"):
        load_config(tmp_path / "binary.yaml")


def test_words_that_yaml_1_1_would_turn_into_something_else_stay_words() -> None:
    assert parse(edited("deployment: prod", "deployment: no")).deployment == "no"
    model = parse(edited("name: small,", "name: small, regions: [on, off, 1:30, 2026-01-01],")).models[0]
    assert model.regions == ("on", "off", "1:30", "2026-01-01")


def test_a_model_that_may_run_nowhere_is_refused() -> None:
    text = edited("name: small,", "name: small, clouds: [azure],").replace(
        "routing:", "supply: {clouds: [aws]}\nrouting:"
    )
    assert told(text) == [
        "bouted.yaml:9 supply.clouds: leaves out azure, the only place allowed for model small"
    ]
    assert parse(text.replace("[azure]", "[azure, owned]")).models[0].clouds == ("azure", "owned")


def test_paths_are_taken_from_the_configs_folder(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text("k\n")
    text = edited("routing:", "listen: {gateway_host: 0.0.0.0, api_keys_file: keys.txt}\nrouting:")
    config = parse(text + "state_dir: here\n", tmp_path)
    assert config.listen.api_keys_file == tmp_path / "keys.txt"
    assert config.state_dir == tmp_path / "here"


def test_options_reach_plugins_as_plain_values() -> None:
    config = parse(
        edited(
            "routing:", "prices: {sources: [{name: file, path: a.csv, x: 1.5, y: [1, {z: no}]}]}\nrouting:"
        )
    )
    assert config.prices.sources[0].options == {"path": "a.csv", "x": 1.5, "y": [1, {"z": "no"}]}


def test_the_dead_man_can_be_off() -> None:
    assert parse(SMALLEST + "safety: {deadman_hours: off}\n").safety.deadman_hours is None


def test_the_hash_follows_the_content_and_not_the_layout() -> None:
    same = SMALLEST.replace("usd_per_hour: 25", "usd_per_hour: 25.0") + "# a comment\nmode: advise\n"
    assert config_hash(parse(same)) == config_hash(parse(SMALLEST))
    assert config_hash(parse(edited("25", "26"))) != config_hash(parse(SMALLEST))


def test_targets_are_in_seconds_and_the_first_set_is_the_objective() -> None:
    targets = parse(edited("e2e_p95_s: 12", "tpot_p95_ms: 60, ttft_p95_ms: 1500")).targets_s()
    assert (targets.ttft_p95_s, targets.tpot_p95_s, targets.e2e_p95_s) == (1.5, 0.06, None)
    assert targets.objective is Metric.TTFT


def test_the_declared_load_has_the_declared_means_and_repeats_by_seed() -> None:
    config = parse(SMALLEST)
    load = config.declared_workload(7)
    assert load == config.declared_workload(7) != config.declared_workload(8)
    assert len(load.lengths) == 256
    assert fmean(one.prompt_tokens for one in load.lengths) == pytest.approx(300, rel=0.03)
    assert fmean(one.output_tokens for one in load.lengths) == pytest.approx(120, rel=0.03)
    assert load.rate_low_per_s == load.rate_per_s == load.rate_high_per_s == 4


@given(
    prompt=st.integers(1, 3000),
    output=st.integers(1, 1000),
    most=st.integers(4096, 5000),
    seed=st.integers(0, 9),
)
@settings(max_examples=30)
def test_no_declared_request_is_longer_than_the_shortest_context(
    prompt: int, output: int, most: int, seed: int
) -> None:
    text = SMALLEST.replace("prompt_tokens: 300", f"prompt_tokens: {prompt}")
    text = text.replace("output_tokens: 120", f"output_tokens: {output}")
    text = text.replace("spec: llama-3.1-8b", f"spec: llama-3.1-8b, context_tokens: {most}")
    for one in parse(text).declared_workload(seed).lengths:
        assert one.prompt_tokens >= 1
        assert one.output_tokens >= 1
        assert one.prompt_tokens + one.output_tokens <= 4096


def test_model_rules_come_in_the_order_asked_and_need_the_same_names() -> None:
    config = parse(edited("name: small,", "name: small, clouds: [gcp], regions: ['us-*'], min_replicas: 2,"))
    large, small = config.model_rules(("large", "small"))
    assert (large.name, small.name, small.min_replicas, small.clouds) == ("large", "small", 2, ("gcp",))
    with pytest.raises(Misconfigured, match="each model needs a score"):
        config.model_rules(("small",))


def test_owned_machines_are_offers_for_nothing() -> None:
    config = parse(
        edited("routing:", "supply: {owned: [{name: rack1, gpu: L40S, gpu_count: 4, count: 3}]}\nrouting:")
    )
    (offer,) = config.owned_offers(datetime(2026, 1, 1, tzinfo=UTC))
    assert (offer.id, offer.market) == ("owned/local/rack1/owned", Market.OWNED)
    assert (offer.usd_per_hour, offer.obtainable, offer.hazard_per_hour) == (Decimal(0), 3, 0.0)


PARTLY_PAID = """\
supply:
  clouds: [gcp]
  regions: {deny: ["us-*"]}
  owned:
    - {name: rack1, gpu: L40S, gpu_count: 4, usd_per_hour: 0.35}
    - {name: p5, kind: committed, provider: aws, instance_type: p5.48xlarge, gpu: H100-80GB, gpu_count: 8,
       count: 2, region: us-east-1, zone: use1-az4, usd_per_hour: 31.46}
    - {name: held, kind: reserved, provider: azure, instance_type: Standard_ND96isr_H100_v5, gpu: H100-80GB,
       gpu_count: 8, region: eastus, usd_per_hour: 40}
  egress: [{from: "aws/us-*", to: gcp, usd_per_gib: 0.05}]
routing:"""


def test_what_is_paid_while_used_is_charged_and_what_is_committed_is_not() -> None:
    config = parse(edited("routing:", PARTLY_PAID))
    rack, committed, reserved = config.owned_offers(datetime(2026, 1, 1, tzinfo=UTC))
    assert [offer.id for offer in (rack, committed, reserved)] == [
        "owned/local/rack1/owned",
        "aws/use1-az4/p5.48xlarge/owned",
        "azure/eastus/Standard_ND96isr_H100_v5/owned",
    ]
    assert [offer.usd_per_hour for offer in (rack, committed, reserved)] == [Decimal("0.35"), 0, 40]
    assert (committed.region, committed.obtainable) == ("us-east-1", 2)
    assert config.committed_usd_per_hour() == Decimal("62.92")
    assert config.budget_value().usd_per_hour == config.limits().cap_usd_per_hour == 25


def test_listing_a_machine_allows_it_and_its_cloud_is_a_place_for_models() -> None:
    text = edited("routing:", PARTLY_PAID).replace("name: small,", "name: small, clouds: [aws],")
    config = parse(text)
    offers = config.owned_offers(datetime(2026, 1, 1, tzinfo=UTC))
    assert allowed_offers(offers, config.supply_rules()) == offers
    small, _ = config.model_rules(("small", "large"))
    assert [may_run(small, offer) for offer in offers] == [False, True, False]


def test_the_operators_egress_prices_become_rules() -> None:
    (rule,) = parse(edited("routing:", PARTLY_PAID)).egress_rules()
    assert (rule.origin, rule.target, rule.usd_per_gib) == ("aws/us-*", "gcp", Decimal("0.05"))
    assert parse(SMALLEST).egress_rules() == ()
    assert parse(SMALLEST).models[0].weights_from == "internet"


def test_machines_that_could_not_be_told_apart_and_prices_said_twice_are_refused() -> None:
    machine = (
        "gpu: H100-80GB, gpu_count: 8, kind: reserved, provider: aws, instance_type: p5, region: us-east-1"
    )
    price = '{from: "aws/*", to: "*", usd_per_gib: 0.1}'
    text = f"""supply:
  owned: [{{name: a, {machine}}}, {{name: b, {machine}}}]
  egress: [{price}, {price}]
routing:"""
    assert told(edited("routing:", text)) == [
        "bouted.yaml:10 supply.owned: b is of the same type in the same place as a"
        " (make them one entry, with a count)",
        "bouted.yaml:11 supply.egress: prices aws/* to * twice (keep one)",
    ]


def test_every_mistake_about_one_machine_is_told() -> None:
    owned = (
        "{name: a, gpu: L4, gpu_count: 0, kind: committed, provider: aws, instance_type: 'x y', zone: '/'}"
    )
    lines = told(edited("routing:", f"supply: {{owned: [{owned}]}}\nrouting:"))
    assert sorted(line.split()[1].removeprefix("supply.owned[0].") for line in lines) == [
        "gpu_count:", "instance_type:", "region:", "usd_per_hour:", "zone:"
    ]  # fmt: skip


def test_limits_effort_and_switching_carry_the_configs_figures() -> None:
    config = parse(SMALLEST + "changes: {drain_s: 36, start_hours: 0.2}\nplanner: {evaluations: 3}\n")
    assert config.limits().cap_usd_per_hour == config.budget_value().usd_per_hour == 25
    assert config.limits().drain_s == 36
    assert config.planner.effort().evaluations == 3
    assert config.changes.switching().overlap_h == pytest.approx(0.21)
    assert config.changes.switching().fetch_h_per_gib == 0


FULLY_STATED = """\
targets: {e2e_p95_s: 12, classes: [{name: any, prompt_tokens_from: 0, tpot_p95_ms: 50},
          {name: long, prompt_tokens_from: 2000, ttft_p95_ms: 3000, e2e_p95_s: 30}]}
supply: {spot: {max_share: 0.6, max_share_per_pool: 0.2, max_share_per_zone: 0.4}, quotas: [
  {cloud: aws, gpu: L4, market: spot, gpus: 8},
  {cloud: gcp, region: "us-*", gpu: H100-80GB, market: on_demand, gpus: 0}]}
planner: {scenarios: 5, risk: cvar, cvar_share: 0.1, rule: preference,
  prefer: {cost: 1, latency: 2}, groups: 2}
changes: {fetch_gib_per_s: 0.5, price_life_hours: 12}
"""


def test_what_the_config_says_about_planning_reaches_the_problem_in_its_own_units() -> None:
    config = parse(edited("targets: {e2e_p95_s: 12}\n", FULLY_STATED))
    short, long = config.targets_s().classes
    assert (short.name, short.prompt_tokens_from, short.of(Metric.TPOT)) == ("any", 0, 0.05)
    assert (long.of(Metric.TTFT), long.of(Metric.E2E), long.of(Metric.TPOT)) == (3.0, 30.0, None)
    assert config.supply.spot.rules() == SpotRules(max_share=0.6, pool_max_share=0.2, zone_max_share=0.4)
    everywhere, nowhere = config.quotas()
    assert (everywhere.provider, everywhere.region, everywhere.gpus) == ("aws", "*", 8)
    assert nowhere == Quota(provider="gcp", region="us-*", gpu="H100-80GB", market=Market.ON_DEMAND, gpus=0)
    assert config.planner.robustness() == Robustness(risk=Risk.CVAR, tail=0.1, scenarios=5)
    assert config.planner.preference() == Preference(rule=Rule.PREFERENCE, cost=1.0, latency=2.0, quality=0.0)
    assert 8 * config.changes.switching().fetch_h_per_gib == pytest.approx(16 / 3600)
    assert config.changes.price_life_hours == 12


def test_what_it_does_not_say_is_what_planning_takes_for_granted() -> None:
    config = parse(SMALLEST)
    assert config.planner.robustness() == Robustness()
    assert config.planner.preference() == Preference()
    assert config.supply.spot.rules() == SpotRules(max_share=0.7)
    assert (config.quotas(), config.targets_s().classes, config.planner.groups) == ((), (), 1)
    cvar = parse(SMALLEST + "planner: {risk: cvar}\n").planner.robustness()
    assert (cvar.risk, cvar.tail) == (Risk.CVAR, Robustness().tail)


def test_an_evals_file_that_may_not_be_read_is_told_by_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.jsonl").write_text("")

    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert told(edited("synthetic: true", "evals_file: mine.jsonl"), tmp_path) == [
        "bouted.yaml:9 routing.evals_file: cannot be read: Permission denied (check who may read it)"
    ]


def test_the_store_is_found_the_same_way_by_the_config_and_without_it(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@db/b\n")
    for extra in (
        "",
        "state_dir: s\n",
        "database: {url_file: url}\n",
        "database:\n  url: postgresql://db/b\n",
    ):
        file = tmp_path / "bouted.yaml"
        file.write_text(SMALLEST + extra)
        environ = {"HOME": str(tmp_path)}
        config = load_config(file, environ=environ)
        whole = locate(file, None, environ)
        assert (whole.state_dir, whole.database_url) == (config.state_dir, config.database_url())
        file.write_text(SMALLEST + extra + "models: [\n")
        assert locate(file, None, environ) == whole


def test_a_state_folder_given_by_name_or_environment_needs_no_config(tmp_path: Path) -> None:
    given = locate(None, tmp_path / "s", {"HOME": str(tmp_path)})
    assert given.state_dir == tmp_path / "s"
    assert given.database_url == f"sqlite:///{tmp_path}/s/bouted.db"
    by_environment = locate(None, None, {"HOME": str(tmp_path), "BOUTED_STATE": str(tmp_path / "s")})
    assert by_environment == given
    assert locate(None, None, {"HOME": str(tmp_path)}).state_dir == tmp_path / ".local/state/bouted"


def test_a_named_config_or_secret_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no such config file"):
        locate(tmp_path / "none.yaml", None, {})
    file = tmp_path / "bouted.yaml"
    file.write_text("database: {url_file: none}\n")
    with pytest.raises(Misconfigured, match=r"database\.url_file: cannot read"):
        locate(file, None, {})


def test_finding_the_store_imports_no_heavy_library() -> None:
    code = (
        "import sys, bouted.config.locate; print([m for m in ('pydantic','torch','sky') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


LINES = SMALLEST.splitlines()
WORDS = st.sampled_from(
    ["", "~", "[]", "{}", "-1", "1e400", "1e999999999999999999", "9" * 5000, "0x1F", "x", "!!python/none x",
     "&a 1", "*a", "{a: 1, a: 2}", "? [a]", "'", '"\\ud800"', "\x00", "- - -", ": :", "%TAG",
     "---\na: 1\n---", "..", "/dev/null", "../..", "!!str 5", "!!binary aa", "<<: {a: 1}", "2026-01-01",
     "true", "[[{[]}]]"]
)  # fmt: skip


@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(LINES) - 1),
            st.integers(0, 60),
            st.integers(0, 20),
            WORDS | st.text(max_size=8),
        ),
        max_size=4,
    )
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_edit_either_loads_or_is_refused_with_its_problems(
    edits: list[tuple[int, int, int, str]],
) -> None:
    lines = list(LINES)
    for at, start, length, word in edits:
        lines[at] = lines[at][:start] + word + lines[at][start + length :]
    try:
        problems, said = 0, config_hash(parse("\n".join(lines)))
    except ConfigErrors as error:
        problems, said = len(error.problems), str(error)
    assert len(said.splitlines()) == max(problems, 1)
