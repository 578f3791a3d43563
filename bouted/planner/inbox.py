"""What the planning worker is asked, read while it computes: so that it hears that it should stop."""

import threading
from collections.abc import Iterator
from queue import Queue
from typing import BinaryIO

from bouted.planner.wire import STOP


class Inbox:
    """Lines from a stream in their order, read by a thread of its own.

    A `STOP` is not among them: it turns `stopped` true until the answer to the request before it is out. So
    does the end of the stream, for good.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._lines: Queue[bytes | None] = Queue()
        self._read = 0
        self._served = 0
        self._stop_up_to = 0
        self._ended = False
        threading.Thread(target=self._listen, args=(stream,), daemon=True).start()

    def requests(self) -> Iterator[bytes]:
        """Every request; asking for the next says that the last was answered."""
        while (line := self._lines.get()) is not None:
            yield line
            self._served += 1

    def stopped(self) -> bool:
        """Whether the request that is being served should be cut short."""
        return self._ended or self._stop_up_to > self._served

    def _listen(self, stream: BinaryIO) -> None:
        for line in stream:
            if line == STOP:
                self._stop_up_to = self._read
            else:
                self._read += 1
                self._lines.put(line)
        self._ended = True
        self._lines.put(None)
