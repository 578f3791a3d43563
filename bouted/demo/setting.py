"""What the demo runs: its config file, its price file, and the length of each act."""

from dataclasses import dataclass
from pathlib import Path

from bouted.workload.declared import declared_profile
from bouted.workload.profile import RequestLength

CONFIG = """\
version: 1
deployment: demo
mode: apply
state_dir: {state_dir}
budget: {{usd_per_hour: 30, surge_usd_per_hour: 30}}
targets: {{e2e_p95_s: 18, ttft_p95_ms: 2500, quality_min: 0.78}}
workload:
  {{rate_per_s: {rate_per_s}, prompt_tokens: {prompt_tokens}, output_tokens: {output_tokens}, window_s: 15}}
models:
  - {{name: small, spec: llama-3.1-8b, context_tokens: 4096}}
  - {{name: medium, spec: qwen2.5-32b, context_tokens: 4096}}
  - {{name: large, spec: llama-3.1-70b, context_tokens: 4096}}
routing: {{synthetic: true}}
supply:
  gpus: {{allow: [L4, A10G, A6000, L40S, RTX4090, RTX5090, A100-80GB]}}
  spot: {{max_share: 1.0}}
prices:
  sources: [{{name: snapshot}}, {{name: file, path: {prices}}}]
  refresh_s: 2
  step_pct: 20
changes:
  min_payback_minutes: 60
  load_step_pct: 40
  load_settle_s: 18
  min_replan_gap_s: 5
  drain_s: 45
  start_hours: 0.1
  rollout: {{canary_s: 1, canary_requests: 5, soak_s: 2}}
planner: {{seed: 1, deadline_s: 20, sweep: 192, evaluations: 10}}
launcher: {{name: local, options: {{boot_s: 1}}}}
safety: {{deadman_hours: 0.2}}
listen: {{gateway_host: 127.0.0.1, gateway_port: {port}}}
"""

PROMPT_TOKENS = 300
OUTPUT_TOKENS = 150

PRICE_COLUMNS = (
    "provider,region,zone,instance_type,gpu,gpu_count,market,usd_per_hour,"
    "obtainable,hazard_per_hour,observed_on,confidence,source"
)

FIRST_ROW = "owned-quote,us-east-1,,1x_T4_quote,T4,1,on_demand,0.35,1,0.0005,2026-11-01,high,demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """Seconds of each act of the demo, and the load of the trace."""

    rate_per_s: float = 9.0
    steady_s: float = 42.0
    backlog_s: float = 16.0
    doubled_s: float = 22.0
    answered_s: float = 12.0


def write_config(folder: Path, *, rate_per_s: float, port: int) -> Path:
    """The demo's config file and its price file, in `folder`."""
    prices = folder / "prices.csv"
    prices.write_text(f"{PRICE_COLUMNS}\n{FIRST_ROW}\n", encoding="utf-8")
    path = folder / "bouted.yaml"
    text = CONFIG.format(
        state_dir=folder / "state",
        rate_per_s=rate_per_s,
        prompt_tokens=PROMPT_TOKENS,
        output_tokens=OUTPUT_TOKENS,
        prices=prices,
        port=port,
    )
    path.write_text(text, encoding="utf-8")
    return path


def demo_lengths(rate_per_s: float, seed: int) -> tuple[RequestLength, ...]:
    """The mix of requests that the config declares, and that the trace then really has."""
    return declared_profile(
        rate_per_s=rate_per_s,
        prompt_tokens=PROMPT_TOKENS,
        output_tokens=OUTPUT_TOKENS,
        arrival_cv=1.0,
        most_tokens=4096,
        seed=seed,
    ).lengths
