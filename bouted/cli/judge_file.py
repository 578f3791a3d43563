"""Judges a price file as the daemon would: beside the shipped snapshot, knowing what the store knows."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bouted import plugins
from bouted.errors import Misconfigured

if TYPE_CHECKING:
    from bouted.cli.place import Place
    from bouted.market.belief import Trust
    from bouted.market.memory import Memory
    from bouted.market.replay import Replayed


def judge(place: "Place", path: Path) -> "Replayed":
    """Every look in the file, in order of time; the offers are its own. SourceFailed if it cannot be read."""
    from bouted.clock import SystemClock
    from bouted.market.belief import Said
    from bouted.market.quotes import belongs_to
    from bouted.market.replay import replay

    now = SystemClock().now()
    file = plugins.load("bouted.prices", "file").from_config({"path": str(path)}, config_dir=Path.cwd())
    shipped = plugins.load("bouted.prices", "snapshot").from_config({}, config_dir=Path.cwd())
    beside = Said(name=shipped.name, rank=shipped.rank, quotes=shipped.fetch(now).quotes, whole=True)
    judged = replay(
        file.feed(now), _trust(place), beside=(beside,), memory=_remembered(place), hand_kept=file.hand_kept
    )
    own = tuple(offer for offer in judged.belief.offers if belongs_to(offer.source, file.name))
    return replace(judged, belief=replace(judged.belief, offers=own))


def _trust(place: "Place") -> "Trust":
    """How far the config in use trusts prices; the defaults where there is none."""
    from bouted.daemon.parts import load
    from bouted.market.belief import Trust

    path = place.located().config_path
    return Trust() if path is None else load(path).config.trust()


def _remembered(place: "Place") -> "Memory":
    """What the store at this place remembers; nothing where there is no deployment."""
    from bouted.store.claims import load_memory

    try:
        store = place.store()
    except Misconfigured:
        return {}
    with closing(store):
        return load_memory(store)
