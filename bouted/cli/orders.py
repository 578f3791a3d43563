"""Who gives the order, and who will act on it."""

import getpass
import socket
from datetime import UTC, datetime

from bouted.cli.life import Life, daemon_life
from bouted.cli.place import Place
from bouted.store.read_board import read_status


def operator() -> str:
    """The person at the keyboard, e.g. `ana@host`, kept beside what they asked for."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        name = "somebody"
    return f"{name}@{socket.gethostname()}"


def who_acts(place: Place, what: str) -> str:
    """What happens next: the daemon does it now, or does it once it is started."""
    found = place.located()
    life = daemon_life(read_status(found.database_url), datetime.now(UTC))
    if life is Life.GONE:
        return f"no daemon runs; it {what} once started: bouted run, or systemctl start bouted"
    return f"the daemon {what}; follow it with: bouted status --watch"
