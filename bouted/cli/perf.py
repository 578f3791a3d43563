"""`bouted perf`: what one replica of a model would do on given GPUs, and which give most for a dollar."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bouted.catalog.precision import KvPrecision, Precision
from bouted.cli.place import Place, pass_place, place_options
from bouted.perf.shapes import Engine

if TYPE_CHECKING:
    from bouted.cli.perf_ask import Ask

POSITIVE = click.IntRange(min=1)
ABOVE_ZERO = click.FloatRange(min=0, min_open=True)
PRECISION = click.Choice([one.value for one in Precision])
KV = click.Choice([one.value for one in KvPrecision])
ENGINE = click.Choice([one.value for one in Engine])


@click.command()
@place_options
@click.option("--model", required=True, help="A model of the catalog, or a folder with its config.json.")
@click.option("--gpu", help="The GPU type, e.g. h100; with --all only this one.")
@click.option("--tp", type=POSITIVE, help="GPUs per tensor-parallel group.  [default: 1]")
@click.option("--pp", type=POSITIVE, help="Pipeline stages.  [default: 1]")
@click.option("--precision", type=PRECISION, help="Of the weights.  [default: as the model is published]")
@click.option("--kv-cache-dtype", type=KV, default="auto", show_default=True, help="auto is 16-bit.")
@click.option("--engine", type=ENGINE, default="vllm", show_default=True, help="The serving engine.")
@click.option("--isl", type=POSITIVE, help="Tokens of a prompt (input sequence length).")
@click.option("--osl", type=POSITIVE, help="Tokens of an answer (output sequence length).")
@click.option("--rate", type=ABOVE_ZERO, help="Open loop: requests/s, come what may.")
@click.option("--concurrency", type=POSITIVE, help="Closed loop: clients that wait for their answers.")
@click.option("--cv", type=click.FloatRange(min=0), help="Variation of the gaps; 1 is Poisson.  [default: 1]")
@click.option("--trace", type=click.Path(path_type=Path), help="A CSV of arrivals and tokens to replay.")
@click.option(
    "--context-tokens", type=POSITIVE, help="Longest request to hold.  [default: the longest asked]"
)
@click.option("--slo-ttft-ms", type=ABOVE_ZERO, help="P95 TTFT to meet.")
@click.option("--slo-tpot-ms", type=ABOVE_ZERO, help="P95 TPOT to meet.")
@click.option("--slo-e2e-s", type=ABOVE_ZERO, help="P95 end-to-end seconds to meet.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the arrivals.")
@click.option("--all", "every", is_flag=True, help="Rank every layout by output tokens per dollar.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def perf(place: Place, /, every: bool, as_json: bool, **typed: Any) -> None:
    """Estimate latency and throughput of a model on GPUs.

    Without --rate and --concurrency: one request alone, the highest rate, and latency against load. "Low" to
    "high" is where the truth is four times in five. With --all, --gpu, --tp and --pp narrow what is ranked.
    """
    from bouted.cli.perf_ask import Ask

    ask = Ask(
        **typed
        | {
            "precision": typed["precision"] and Precision(typed["precision"]),
            "kv_cache_dtype": KvPrecision(typed["kv_cache_dtype"]),
            "engine": Engine(typed["engine"]),
        }
    )
    click.echo(_ranking(place, ask, as_json) if every else _one(place, ask, as_json))


def _one(place: Place, ask: "Ask", as_json: bool) -> str:
    from bouted.cli.perf_document import estimate_document
    from bouted.cli.perf_here import as_learned, known_here
    from bouted.cli.perf_layouts import replica_of
    from bouted.cli.perf_rows import screen
    from bouted.cli.perf_workload import workload_of
    from bouted.perf.estimate import estimate

    workload = workload_of(ask)
    now = datetime.now(UTC)
    here = known_here(place, now)
    modelled = replica_of(ask, here, workload.longest_tokens)
    replica = as_learned(modelled, here.corrections, workload.lengths, now)
    found = estimate(replica.costs, workload.mix, workload.load, ask.slo)
    if as_json:
        return json.dumps(estimate_document(replica, workload.load, found), indent=2)
    return "\n".join(screen(replica, workload, found, ask.slo))


def _ranking(place: Place, ask: "Ask", as_json: bool) -> str:
    from bouted.cli.perf_document import ranking_document
    from bouted.cli.perf_here import as_learned, known_here
    from bouted.cli.perf_layouts import layouts_of
    from bouted.cli.perf_offers import offers_at
    from bouted.cli.perf_rank_rows import screen
    from bouted.cli.perf_workload import workload_of
    from bouted.perf.ranking import rank

    if ask.rate is not None or ask.concurrency is not None:
        raise click.UsageError("--all ranks at the highest rate that each layout takes: leave out the load")
    workload = workload_of(ask)
    now = datetime.now(UTC)
    here = known_here(place, now)
    layouts = layouts_of(ask, here, workload.longest_tokens)
    replicas = [as_learned(one, here.corrections, workload.lengths, now) for one in layouts.replicas]
    priced = offers_at(place, now)
    ranking = rank(replicas, workload.mix, ask.slo, priced.offers)
    if as_json:
        return json.dumps(ranking_document(ranking, layouts.refused, priced), indent=2)
    return "\n".join(screen(ranking, layouts, workload, priced, ask.slo))
