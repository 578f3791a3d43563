"""Where a daemon may die: between any two statements, around every commit and every call of a launcher."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import OperationalError

from bouted.testing.sim.vtime import pause

_INTERLEAVED = 0.15  # of the transactions that begin inside a blocking call, others run first
_STIRRING = (
    "UPDATE nodes", "UPDATE replicas", "UPDATE control",
    "INSERT INTO nodes", "INSERT INTO replicas", "INSERT INTO notices",
)  # fmt: skip
_WRITING = ("INSERT", "UPDATE", "DELETE")


class Crash(BaseException):
    """The process is gone. Nobody catches this."""


@dataclass(slots=True)
class Gate:
    """What one daemon process passes before it touches anything outside itself.

    `countdown` is how many points it may still pass before it dies; None for ever. `broken` is what the
    database answers to writes meanwhile, "" while it works.
    """

    rng: Random
    tell: Callable[[str], None]
    committed: Callable[["Gate"], None]
    countdown: int | None = None
    broken: str = ""
    dead: bool = False
    token: int = 0
    wrote: bool = False
    stirred: int = 0
    points: int = 0
    on_death: Callable[[], None] = field(default=lambda: None)

    def passed(self, where: str) -> None:
        """Go on, or die here."""
        if self.dead:
            raise Crash(where)
        self.points += 1
        if self.countdown is None:
            return
        if self.countdown <= 0:
            self.dead = True
            self.tell(f"the daemon dies: {where}")
            self.on_death()
            raise Crash(where)
        self.countdown -= 1

    def die(self) -> None:
        """Be gone, wherever it is now."""
        if not self.dead:
            self.dead = True
            self.on_death()


class _Alike(SQLiteDialect_pysqlite):
    """Equal to all of its kind. Every start of a daemon has an engine of its own, and the same statements:
    their compiled form is kept by dialect, and need not be made again a hundred times a day."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


_COMPILED: dict[Any, Any] = {}


def watch_engine(engine: Engine, gate: Gate) -> None:
    """Let every statement and commit of this engine pass the gate."""
    setattr(engine.dialect, "__class__", _Alike)  # noqa: B010 - its state stays its own
    engine.update_execution_options(compiled_cache=_COMPILED)

    @event.listens_for(engine, "before_cursor_execute")
    def on_statement(_c: Any, _cursor: Any, statement: str, _p: Any, _ctx: Any, _many: Any) -> None:
        gate.passed(f"before {statement[:40]}")
        if statement.startswith("BEGIN"):
            _begins(gate, statement)
        if not statement.startswith(_WRITING):
            return
        if gate.broken == "full":
            raise _refused(statement, "database or disk is full")
        gate.wrote = True
        if statement.startswith(_STIRRING):
            gate.stirred += 1

    commit = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        gate.passed("before a commit")
        if gate.wrote and gate.broken == "full":
            raise sqlite3.OperationalError("database or disk is full")
        commit(connection)
        if gate.wrote:
            gate.wrote = False
            gate.committed(gate)
        gate.passed("after a commit")

    setattr(engine.dialect, "do_commit", do_commit)  # noqa: B010 - a method, of this one engine

    rollback = engine.dialect.do_rollback

    def do_rollback(connection: Any) -> None:
        gate.wrote = False
        rollback(connection)

    setattr(engine.dialect, "do_rollback", do_rollback)  # noqa: B010


def _begins(gate: Gate, statement: str) -> None:
    """Nothing is locked yet: others may run first."""
    if gate.rng.random() < _INTERLEAVED:
        pause(gate.rng.random())
        gate.passed("before a transaction")
    if "IMMEDIATE" in statement and gate.broken == "locked":
        raise _refused(statement, "database is locked")


def _refused(statement: str, why: str) -> OperationalError:
    return OperationalError(statement, None, sqlite3.OperationalError(why))
