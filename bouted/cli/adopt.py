"""`bouted adopt`: sends queries to an endpoint that somebody else runs."""

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import click

from bouted.cli.orders import who_acts
from bouted.cli.place import Place, pass_place, place_options
from bouted.errors import Misconfigured


@click.command()
@place_options
@click.argument("url", required=False)
@click.option("--model", metavar="M", help="Which of the config's models it serves.")
@click.option("--usd-per-hour", metavar="X", help="What it costs; 0 when that is counted elsewhere.")
@click.option("--name", default="", metavar="N", help="What to call it; made from its address unless given.")
@click.option("--gpu", default="", metavar="G", help="The GPU it runs on.")
@click.option("--gpus", type=click.IntRange(1, 1024), default=1, metavar="N", help="How many of them.")
@click.option("--served", default="", metavar="NAME", help="What it calls the model, if that is not plain.")
@click.option("--release", metavar="NAME", help="Forget this adopted endpoint, which goes on.")
@pass_place
def adopt(
    place: Place,
    url: str | None,
    model: str | None,
    usd_per_hour: str | None,
    name: str,
    gpu: str,
    gpus: int,
    served: str,
    release: str | None,
) -> None:
    """Send queries to an engine that somebody else runs.

    URL is a vLLM or SGLang server that is ready. It is routed to and counted like any other replica,
    leaves the route while it is not well, and is never started, drained or stopped. Plans have what its
    price leaves of the budget; what it can carry they do not reckon with.
    """
    if release is not None:
        _release(place, release)
        return
    if url is None or model is None or usd_per_hour is None:
        missing = "URL" if url is None else "--model" if model is None else "--usd-per-hour"
        hint = "bouted adopt URL --model M --usd-per-hour X, or bouted adopt --release NAME"
        raise Misconfigured("", f"{missing} is missing", hint=hint)
    from bouted.daemon.adopting import adopt as take_in
    from bouted.daemon.adopting import hear, served_model
    from bouted.reconcile.adopted import Address
    from bouted.reconcile.adopting import UNKNOWN_GPU, Adoption, base_url

    _require_known(place, model, gpu)
    price, base = _price(usd_per_hour), base_url(url)
    with closing(place.store()) as store:
        heard = hear(base)
        adoption = Adoption(
            address=Address(base_url=base, served_model=served_model(model, served, heard, base)),
            engine=heard.engine,
            model=model,
            usd_per_hour=price,
            gpu=gpu or UNKNOWN_GPU,
            gpus=gpus,
            name=name,
        )
        node = take_in(store, adoption, datetime.now(UTC))
    click.echo(f"{node.name} is adopted: {model} at ${price:.2f}/h; let it go with: {_way_back(node.name)}")
    click.echo(who_acts(place, "routes to it"))


def _release(place: Place, name: str) -> None:
    from bouted.daemon.adopting import release

    with closing(place.store()) as store:
        release(store, name, datetime.now(UTC))
    click.echo(f"{name} is let go; it goes on by itself")


def _way_back(name: str) -> str:
    return f"bouted adopt --release {name}"


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or not 0 <= price <= 10_000_000:
        raise Misconfigured("", f"--usd-per-hour: {text!r} is no price", hint="a number such as 2.50")
    return price


def _require_known(place: Place, model: str, gpu: str) -> None:
    """Misconfigured unless the config has the model, and the catalog the GPU."""
    from bouted.daemon.parts import load

    loaded = load(place.config_path())
    names = [known.name for known in loaded.config.models]
    if model not in names:
        raise Misconfigured("", f"the config has no model {model}", hint=f"its models: {', '.join(names)}")
    if gpu:
        loaded.catalog.gpu(gpu)
