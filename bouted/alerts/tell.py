"""Sends what is due and remembers it, in that order."""

from collections.abc import Callable, Iterable

from bouted.alerts.due import Due
from bouted.store.alerts import AlertRow


def tell(due: Iterable[Due], send: Callable[[str], None], save: Callable[[AlertRow], None]) -> int:
    """Sends each message, then saves its row; returns how many were sent.

    A message that cannot be sent raises what `send` raises: its row and those after it are not saved, so
    that they are due again the next time.
    """
    sent = 0
    for item in due:
        if item.message is not None:
            send(item.message)
            sent += 1
        save(item.row)
    return sent
