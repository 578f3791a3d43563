"""Keeps what compiled solvers print out of a command's output."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def solvers_unheard() -> Iterator[None]:
    """Within it, what is written straight to the standard output goes nowhere; HiGHS has a banner, and
    messages that no option turns off."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
