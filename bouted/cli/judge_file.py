"""Judges a price file as the daemon would: beside the shipped snapshot, knowing what the store knows."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bouted import plugins
from bouted.errors import Misconfigured

if TYPE_CHECKING:
    from bouted.cli.place import Place
    from bouted.market.memory import Memory
    from bouted.market.replay import Replayed


def judge(place: "Place", path: Path) -> "Replayed":
    """Every look in the file, in order of time. SourceFailed when it cannot be read at all."""
    from bouted.clock import SystemClock
    from bouted.market.believe import Said, Trust
    from bouted.market.replay import replay

    now = SystemClock().now()
    file = plugins.load("bouted.prices", "file").from_config({"path": str(path)}, config_dir=Path.cwd())
    shipped = plugins.load("bouted.prices", "snapshot").from_config({}, config_dir=Path.cwd())
    beside = Said(name=shipped.name, rank=shipped.rank, quotes=shipped.fetch(now).quotes, whole=True)
    return replay(
        file.feed(now), Trust(), beside=(beside,), memory=_remembered(place), hand_kept=file.hand_kept
    )


def _remembered(place: "Place") -> "Memory":
    """What the store at this place remembers; nothing where there is no deployment."""
    from bouted.store.claims import load_memory

    try:
        store = place.store()
    except Misconfigured:
        return {}
    with closing(store):
        return load_memory(store)
