"""Many threads of one daemon may write at once; none of them is turned away."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bouted.store.control import load_control, update_control
from bouted.store.documents import get_document, put_document
from bouted.store.open import Store
from bouted.testing.fleet import START

THREADS, EACH = 16, 20


def test_every_thread_gets_to_write(each_store: Store) -> None:
    def write(thread: int) -> list[str]:
        return [put_document(each_store, "problem", f"{thread} {turn}".encode()) for turn in range(EACH)]

    with ThreadPoolExecutor(THREADS) as pool:
        names = [name for written in pool.map(write, range(THREADS)) for name in written]
    assert len({get_document(each_store, name) for name in names}) == THREADS * EACH


def test_a_write_that_fails_lets_the_next_thread_write(each_store: Store) -> None:
    def fail() -> None:
        with each_store.writing():
            raise KeyError("a bug")

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyError, match="a bug"):
        pool.submit(fail).result()
    update_control(each_store, START, "ana", paused=True)
    assert load_control(each_store).paused
