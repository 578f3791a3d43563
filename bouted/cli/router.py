"""`bouted router`: trains the router on your evals, and says out of fold what it is worth."""

import json
from pathlib import Path

import click

EVALS = click.argument("evals", type=click.Path(path_type=Path))
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of folds and draws."
)
EMBEDDINGS = click.option(
    "--embeddings", metavar="MODEL", help="Judge prompts by this sentence-transformers model as well."
)


@click.group()
def router() -> None:
    """Train the router on your evals, and see what it is worth.

    EVALS has a JSON line a prompt: {"prompt": "...", "scores": {"small": 0.7, "large": 0.9}}, scores 0 to 1.
    """


@router.command()
@EVALS
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it.  [default: router.json]")
@EMBEDDINGS
@SEED
def train(evals: Path, out: Path | None, embeddings: str | None, seed: int) -> None:
    """Fit a router to all of EVALS and write it to a file.

    The daemon fits its own from `routing.evals_file`, the same way: this is to keep one, and to judge it on
    other evals.
    """
    from bouted.cli.router_ask import fitted, writable

    target = writable(out or Path("router.json"))
    scorer, quality = fitted(evals, embeddings, seed)
    scorer.save(target)
    by = "a price per model" if quality.predicted else "one score"
    models = ", ".join(scorer.models)
    click.echo(f"{target}: routes {models} by {by}; fitted to {len(quality.scores):,} prompts")
    click.echo(f"next: bouted router eval {evals}")


@router.command("eval")
@EVALS
@click.option(
    "--router", "file", type=click.Path(path_type=Path), help="Judge this one, on evals it has not seen."
)
@EMBEDDINGS
@SEED
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
def evaluate(evals: Path, file: Path | None, embeddings: str | None, seed: int, as_json: bool) -> None:
    """Compare a router with lots and with an oracle, at equal shares.

    Without --router one is fitted, and every prompt is judged by a fit that has not seen it.
    """
    from bouted.cli.router_ask import fitted, loaded
    from bouted.cli.router_rows import document, screen
    from bouted.quality.report import report

    if file is not None and embeddings is not None:
        raise click.UsageError("--router says itself which embeddings it needs: leave out --embeddings")
    quality = loaded(file, evals, seed) if file is not None else fitted(evals, embeddings, seed)[1]
    found = report(quality, seed)
    click.echo(json.dumps(document(found), indent=2) if as_json else "\n".join(screen(found, file)))
