"""The migrations make the schema that the code maps, both ways, and keep rows or change nothing."""

import json
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Inspector, inspect, text

from bouted import codec
from bouted.catalog.gpus import Evidence
from bouted.errors import Misconfigured
from bouted.events import Event, EventKind, Severity
from bouted.market.offers import Confidence
from bouted.perf.costs import roofline
from bouted.perf.profile import ProfileTable
from bouted.planner.plan import Plan, PlannedShape
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import SpotRules
from bouted.quality.route_split import Judged
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.documents import get_document
from bouted.store.engine import WRITES, make_engine
from bouted.store.events import add_events, list_events
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node
from bouted.store.names import SCHEMA_REVISION
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.plans import desired_plan
from bouted.store.prices import believed_offers, record_offers
from bouted.store.profiles import get_profiles
from bouted.store.read_prices import read_offers
from bouted.store.tables import Base
from bouted.store.upgrade import alembic_config, scripts_folder, upgrade
from bouted.testing.builders import a_problem, a_shape, a_table, rules
from bouted.testing.fleet import START, an_offer
from bouted.testing.store import a_node, a_plan, a_replica, fresh_store

as_roofline = import_module("bouted.migrations.versions.0003_performance").as_roofline
with_thresholds = import_module("bouted.migrations.versions.0004_joint_planning").with_thresholds
FOLLOWING = f"{int(SCHEMA_REVISION) + 1:04}"
NEXT = '''"""The schema after this one."""

import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{before}"


def upgrade() -> None:
    {body}
'''
ADD_A_COLUMN = (
    "with op.batch_alter_table('nodes', recreate='always') as table:\n"
    "        table.add_column(sa.Column('rack', sa.Text(), nullable=False, server_default='r1'))"
)
ADD_THEN_FAIL = ADD_A_COLUMN + "\n    raise ValueError('half way')"
LOSE_THE_NODES = "op.execute('DELETE FROM nodes')"


@contextmanager
def changing(url: str) -> Iterator[Connection]:
    engine = make_engine(url, migrating=True).execution_options(**{WRITES: True})
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


def a_next_revision(folder: Path, body: str) -> Path:
    """The installed migrations and one more."""
    scripts = folder / "scripts"
    shutil.copytree(scripts_folder(), scripts, ignore=shutil.ignore_patterns("__pycache__"))
    text = NEXT.format(next=FOLLOWING, before=SCHEMA_REVISION, body=body)
    (scripts / "versions" / "0005_next.py").write_text(text)
    return scripts


def with_rows(store: Store) -> None:
    add_node(store, a_node())
    move_node(store, "t-1", NodeStatus.LAUNCHING, Reason.PLAN, START)
    add_replica(store, a_replica(a_node()))


def dump(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def details(found: Inspector) -> dict[str, Any]:
    """What autogenerate does not compare: names of constraints, checks, the order of columns."""
    return {
        table: (
            found.get_pk_constraint(table),
            sorted(map(repr, found.get_foreign_keys(table))),
            sorted(map(repr, found.get_check_constraints(table))),
            sorted((index["name"] or "", index["column_names"]) for index in found.get_indexes(table)),
            [
                (column["name"], str(column["type"]), column["nullable"])
                for column in found.get_columns(table)
            ],
        )
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def partial_indexes(engine: Engine) -> list[str]:
    query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %' ORDER BY name"
    with engine.connect() as connection:
        return list(connection.exec_driver_sql(query).scalars())


def test_the_migrations_stand_in_an_installed_package() -> None:
    assert scripts_folder() == Path(str(files("bouted.migrations")))
    for name in ("env.py", "script.py.mako", "versions/0001_first.py"):
        assert (scripts_folder() / name).is_file()


def test_the_newest_migration_is_the_revision_that_readers_know() -> None:
    directory = ScriptDirectory.from_config(alembic_config(scripts_folder()))
    assert directory.get_heads() == [SCHEMA_REVISION]
    known = [script.revision for script in directory.walk_revisions()]
    assert known == sorted(known, reverse=True), "they are compared as text"
    assert all(len(revision) == 4 and revision.isdigit() for revision in known)


def test_the_migrations_make_what_the_code_maps(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_and_indexes_are_those_the_code_declares(store: Store, tmp_path: Path) -> None:
    mapped = make_engine(f"sqlite:///{tmp_path / 'mapped.db'}")
    Base.metadata.create_all(mapped)
    assert details(inspect(store.engine)) == details(inspect(mapped))
    assert partial_indexes(store.engine) == partial_indexes(mapped)
    mapped.dispose()


def test_down_to_nothing_and_up_again_gives_the_same_schema(store: Store, tmp_path: Path) -> None:
    before = dump(tmp_path / "bouted.db")
    with changing(store.url) as connection:
        command.downgrade(alembic_config(scripts_folder(), connection), "base")
    assert inspect(store.engine).get_table_names() == ["alembic_version"]
    with changing(store.url) as connection:
        command.upgrade(alembic_config(scripts_folder(), connection), "head")
    assert sorted(dump(tmp_path / "bouted.db")) == sorted(before)


def test_upgrading_what_is_up_to_date_changes_nothing(store: Store, tmp_path: Path) -> None:
    with_rows(store)
    before = dump(tmp_path / "bouted.db")
    upgrade(store.url)
    assert dump(tmp_path / "bouted.db") == before
    assert not list(tmp_path.glob("*.backup*"))


def test_an_upgrade_keeps_the_rows_and_leaves_a_backup_of_before(store: Store, tmp_path: Path) -> None:
    with_rows(store)
    fleet, before = load_fleet(store, START), dump(tmp_path / "bouted.db")
    store.engine.dispose()
    upgrade(store.url, a_next_revision(tmp_path, ADD_A_COLUMN))
    assert load_fleet(store, START) == fleet
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT rack FROM nodes").scalars().all() == ["r1"]
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == FOLLOWING
    backup = tmp_path / f"bouted.db.{SCHEMA_REVISION}.backup"
    assert dump(backup) == before
    assert not list(tmp_path.glob("*.partial*"))


def test_an_upgrade_that_fails_half_way_changes_nothing(store: Store, tmp_path: Path) -> None:
    with_rows(store)
    before = dump(tmp_path / "bouted.db")
    with pytest.raises(ValueError, match="half way"):
        upgrade(store.url, a_next_revision(tmp_path, ADD_THEN_FAIL))
    assert dump(tmp_path / "bouted.db") == before


def test_an_upgrade_that_would_orphan_rows_is_refused_and_undone(store: Store, tmp_path: Path) -> None:
    with_rows(store)
    before = dump(tmp_path / "bouted.db")
    with pytest.raises(Misconfigured, match="would break rows of") as refused:
        upgrade(store.url, a_next_revision(tmp_path, LOSE_THE_NODES))
    assert refused.value.hint
    assert dump(tmp_path / "bouted.db") == before


def test_a_folder_with_characters_that_mean_something_in_a_url_or_in_alembic(tmp_path: Path) -> None:
    odd = tmp_path / "50%#?x"
    odd.mkdir()
    upgrade(sqlite_url(odd), a_next_revision(odd, ADD_A_COLUMN))
    with closing(sqlite3.connect(odd / "bouted.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(FOLLOWING,)]


# revision 0002

OLD_OFFERS = """INSERT INTO offers (id, provider, region, zone, instance_type, gpu, gpu_count, market,
last_observed_at) VALUES ('aws/r/t/spot', 'aws', 'r', '', 't', 'L4', 1, 'spot', '2026-11-02 00:00:00'),
('aws/r/u/on_demand', 'aws', 'r', '', 'u', 'L4', 2, 'on_demand', '2026-11-03 00:00:00')"""
OLD_PRICES = """INSERT INTO price_observations (offer_id, usd_per_hour, obtainable, hazard_per_hour, source,
confidence, observed_at, recorded_at) VALUES
('aws/r/t/spot', '2.50', 3, 0.1, 'aws', 'low', '2026-11-01 01:00:00', '2026-11-01 01:00:00'),
('aws/r/t/spot', '1.50', 4, 0.2, 'aws', 'high', '2026-11-01 00:00:00', '2026-11-01 00:00:00'),
('aws/r/u/on_demand', '9.00', 1, 0.0, 'file', 'medium', '2026-11-01 00:00:00', '2026-11-01 00:00:00')"""


def make_old(url: str) -> None:
    """A database at revision 0001 with prices in it."""
    with changing(url) as connection:
        command.upgrade(alembic_config(scripts_folder(), connection), "0001")
        connection.exec_driver_sql(OLD_OFFERS)
        connection.exec_driver_sql(OLD_PRICES)


def rows_of(store: Store) -> list[tuple[object, ...]]:
    columns = "id, offer_id, usd_per_hour, obtainable, source, confidence"
    query = f"SELECT {columns} FROM price_observations ORDER BY id"
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    made: str = request.getfixturevalue("new_on_postgres")()
    return made


def test_prices_of_the_first_revision_are_kept_and_believed(url: str) -> None:
    make_old(url)
    with closing(open_store(url)) as store:
        spot, firm = believed_offers(store)
        assert (spot.usd_per_hour, spot.obtainable, spot.hazard_per_hour) == (Decimal("2.50"), 3, 0.1)
        assert (spot.confidence, spot.source, spot.observed_at.day) == (Confidence.LOW, "aws", 2)
        assert (firm.usd_per_hour, firm.source, firm.gpu_count) == (Decimal("9.00"), "file", 2)
        assert [row[0] for row in rows_of(store)] == [1, 2, 3]
        assert read_offers(url) == (spot, firm)
        assert record_offers(store, (spot, firm), START) == 0


def test_an_old_database_is_upgraded_by_the_quick_reader(url: str) -> None:
    make_old(url)
    assert [str(offer.usd_per_hour) for offer in read_offers(url)] == ["2.50", "9.00"]


def test_going_back_to_the_first_revision_keeps_offers_and_prices(url: str) -> None:
    make_old(url)
    with closing(open_store(url)) as store:
        before, offers = rows_of(store), believed_offers(store)
        with changing(url) as connection:
            command.downgrade(alembic_config(scripts_folder(), connection), "0001")
        names = [column["name"] for column in inspect(store.engine).get_columns("offers")]
        assert names[-1] == "last_observed_at"
        assert rows_of(store) == before
        store.engine.dispose()
        upgrade(url)
        assert believed_offers(store) == offers


# revision 0003

OLD_COSTS = {
    "overhead_s": 0.0041,
    "weights_s": 0.0237,
    "compute_s_per_token": 0.00013,
    "kv_s_per_token": 3.1e-8,
    "kv_capacity_tokens": 90_000,
    "max_batch": 256,
    "max_step_tokens": 2048,
    "evidence": "measured",
    "spread": 0.2,
}
OLD_TABLES = (
    "INSERT INTO documents (hash, kind, body) VALUES (:hash, 'problem', :problem)",
    "INSERT INTO plans (id, created_at, trigger, status, problem_hash, config_hash, usd_per_hour, p95_s, "
    "quality, gap, seconds_to_plan, body) VALUES "
    "('aaa1', '2026-11-01 00:00:00', 'first', 'applied', :hash, 'c', '1', 1, 1, 0, 1, :plan)",
    "INSERT INTO control (id, paused, down_requested, desired_plan_id, updated_by) "
    "VALUES (1, false, false, 'aaa1', 'daemon')",
    "INSERT INTO profiles (hash, body) VALUES ('h', :problem)",
)


def with_costs(value: Any, costs: dict[str, object]) -> Any:
    """`value` with these in place of every step cost in it."""
    if isinstance(value, list):
        return [with_costs(item, costs) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: costs if name == "costs" else with_costs(item, costs) for name, item in value.items()}


def make_0002(url: str, folder: Path) -> tuple[Plan, PlanningProblem]:
    """A database at revision 0002 with a plan in force; the plan and its problem as they should be read."""
    shape = a_shape("small")
    problem = a_problem((an_offer(),), a_table({shape: 5.0}), (rules("small"),))
    expected = roofline(**{**OLD_COSTS, "evidence": Evidence.MEASURED})  # type: ignore[arg-type]
    with closing(fresh_store(folder)) as store:
        plan = replace(
            a_plan(store, "aaa1"), shapes=(PlannedShape(shape=shape, costs=expected, rate_per_s=2.0),)
        )
    body = json.dumps(with_costs(json.loads(codec.dump(PlanningProblem, problem)), OLD_COSTS)).encode()
    values = {
        "hash": plan.problem_hash,
        "problem": zlib.compress(body),
        "plan": json.dumps(with_costs(json.loads(codec.dump(Plan, plan)), OLD_COSTS)),
    }
    with changing(url) as connection:
        command.upgrade(alembic_config(scripts_folder(), connection), "0002")
        for statement in OLD_TABLES:
            names = [name for name in values if f":{name}" in statement]
            connection.execute(text(statement), {name: values[name] for name in names})
    profile = replace(problem.profiles.profiles[0], costs=expected)
    return plan, replace(problem, profiles=ProfileTable(profiles=(profile,)))


def old_bodies(store: Store) -> tuple[Any, Any]:
    with store.engine.connect() as connection:
        plan = connection.execute(text("SELECT body FROM plans")).scalar_one()
        problem = connection.execute(text("SELECT body FROM documents")).scalar_one()
    return json.loads(plan), json.loads(zlib.decompress(problem))


def test_step_costs_of_the_second_revision_say_the_same_as_curves(url: str, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    plan, problem = make_0002(url, tmp_path / "made")
    with closing(open_store(url)) as store:
        assert desired_plan(store) == plan
        found = codec.parse(PlanningProblem, get_document(store, plan.problem_hash))
        assert found == problem
        costs = found.profiles.profiles[0].costs
        for tokens in (0, 1, 100, 182, 183, 2048, 5000):
            old_s = 0.0041 + max(0.0237, tokens * 0.00013) + 7 * 3.1e-8
            assert costs.step_s(tokens, 0, 7) == pytest.approx(old_s, rel=1e-12)
        assert get_profiles(store, ["h"], START) == {}, "cached under another kind of name"


def test_going_back_to_the_second_revision_gives_the_rooflines_back(url: str, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    plan, _ = make_0002(url, tmp_path / "made")
    with closing(open_store(url)) as store:
        with changing(url) as connection:
            command.downgrade(alembic_config(scripts_folder(), connection), "0002")
        for body in old_bodies(store):
            (costs,) = [found for found in costs_in(body) if found]
            assert costs.pop("evidence") == OLD_COSTS["evidence"]
            assert costs == pytest.approx({n: v for n, v in OLD_COSTS.items() if n != "evidence"}, rel=1e-9)
        store.engine.dispose()
        upgrade(url)
        again = desired_plan(store)
        assert again is not None
        assert again.shapes[0].costs.tokens_s == pytest.approx(plan.shapes[0].costs.tokens_s)


def costs_in(value: Any) -> list[dict[str, object]]:
    if isinstance(value, list):
        return [found for item in value for found in costs_in(item)]
    if not isinstance(value, dict):
        return []
    return [value["costs"]] if "costs" in value else [f for item in value.values() for f in costs_in(item)]


@pytest.mark.parametrize(
    "curve",
    [
        {"tokens": [1, 8, 64], "tokens_s": [0.01, 0.011, 0.02]},
        {"tokens": [1, 8, 64], "tokens_s": [0.01, 0.02, 0.02]},
        {"tokens": [0, 1], "tokens_s": [0.01, 0.01]},
        {"tokens": [1, 512, 513, 1024], "tokens_s": [0.02, 0.03, 0.05, 0.06]},
    ],
)
def test_any_curve_becomes_a_roofline_with_its_first_value(curve: dict[str, list[float]]) -> None:
    rest = {
        name: OLD_COSTS[name] for name in ("kv_capacity_tokens", "max_batch", "max_step_tokens", "spread")
    }
    costs = as_roofline({**curve, **rest, "kv_s": 1e-8, "evidence": "roofline"})
    assert min(costs["overhead_s"], costs["weights_s"], costs["compute_s_per_token"]) >= 0
    assert costs["overhead_s"] + costs["weights_s"] == pytest.approx(curve["tokens_s"][0])


# revision 0004

STORED = Path(__file__).parent / "stored"
"""A plan and its problem as the code of revision 0003 wrote them."""


def make_0003(url: str) -> tuple[Any, Any]:
    """A database at revision 0003 with a plan in force; the plan and its problem as JSON."""
    plan, problem = (json.loads((STORED / f"{name}-0003.json").read_text()) for name in ("plan", "problem"))
    values = {
        "hash": plan["problem_hash"],
        "problem": zlib.compress(json.dumps(problem).encode()),
        "plan": json.dumps(plan),
    }
    statements = [
        statement.replace("aaa1", plan["id"]) for statement in OLD_TABLES if "INTO profiles" not in statement
    ]
    with changing(url) as connection:
        command.upgrade(alembic_config(scripts_folder(), connection), "0003")
        for statement in statements:
            names = [name for name in values if f":{name}" in statement]
            connection.execute(text(statement), {name: values[name] for name in names})
    return plan, problem


def test_plans_and_problems_of_the_third_revision_are_read(url: str) -> None:
    old, _ = make_0003(url)
    with closing(open_store(url)) as store:
        plan = desired_plan(store)
        assert plan is not None
        assert (plan.id, plan.problem_hash) == (old["id"], old["problem_hash"])
        assert [plan.split.model_for(Judged(score=score)) for score in (0.64, 0.66)] == ["small", "large"]
        problem = codec.parse(PlanningProblem, get_document(store, plan.problem_hash))
        assert problem.spot == SpotRules(max_share=0.6)
        assert (problem.quotas, problem.groups, problem.past) == ((), 1, ())
        assert problem.incumbent is not None
        assert [node.template.instances for node in problem.incumbent.nodes] == [1]


def test_going_back_to_the_third_revision_gives_it_what_it_can_read(url: str) -> None:
    old_plan, old_problem = make_0003(url)
    with closing(open_store(url)) as store:
        failed = Event(
            at=START, kind=EventKind.PLAN_FAILED, severity=Severity.WARNING, subject="", message="m"
        )
        add_events(store, (failed, replace(failed, kind=EventKind.PLAN_RECOVERED)))
        with changing(url) as connection:
            command.downgrade(alembic_config(scripts_folder(), connection), "0003")
        assert list_events(store) == (failed,)
        plan, problem = old_bodies(store)
        assert problem == old_problem
        assert plan == old_plan
        store.engine.dispose()
        upgrade(url)
        assert desired_plan(store) is not None


@pytest.mark.parametrize(
    ("rules", "thresholds"),
    [
        ([{"weight": 1.0, "thresholds": [0.2, 0.7], "prices": []}], [0.2, 0.7]),
        ([{"weight": 0.4, "thresholds": [0.1, 0.7], "prices": []},
          {"weight": 0.6, "thresholds": [0.3, 0.8], "prices": []}], [0.1, 0.7]),
        ([{"weight": 1.0, "thresholds": [], "prices": [0.1, 0.0, -0.1]}], [0.5, 0.8]),
    ],
    ids=["one set of thresholds", "a mix of two", "prices"],
)  # fmt: skip
def test_any_split_becomes_one_of_thresholds_on_the_way_back(
    rules: list[dict[str, object]], thresholds: list[float]
) -> None:
    split = {
        "models": ["a", "b", "c"],
        "shares": [0.5, 0.3, 0.2],
        "rules": rules,
        "scorer_hash": "s",
        "seed": 3,
    }
    back = with_thresholds({"id": "p", "split": split})
    assert set(back["split"]) == {"models", "shares", "thresholds", "scorer_hash"}
    assert back["split"]["thresholds"] == pytest.approx(thresholds)
