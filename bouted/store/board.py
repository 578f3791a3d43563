"""Publishes the status board; `bouted.store.read_board` reads it."""

from datetime import datetime

from bouted.board import Board
from bouted.store.session import Store
from bouted.store.tables import BoardRow


def publish_board(store: Store, board: Board, now: datetime) -> None:
    """Puts this board in place of the one before."""
    with store.writing() as session:
        session.merge(BoardRow(id=1, body=board.to_json(), written_at=now))
