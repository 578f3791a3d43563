"""Where blocking calls are made. The daemon makes them in threads; a simulation makes them in turn."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class InThread(Protocol):
    """Runs a blocking call without holding up the loop; `asyncio.to_thread` is one."""

    async def __call__(self, call: Callable[..., T], /, *args: object) -> T:
        """What `call(*args)` returns or raises."""
        ...
