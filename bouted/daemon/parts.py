"""Builds the parts that a config names. Used by the daemon, by one-shot planning and by `down`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import cast

from bouted import plugins
from bouted.catalog.load import Catalog, load_catalog
from bouted.config.catalog import catalog_of
from bouted.config.goals import ModelSettings
from bouted.config.load import load_config
from bouted.config.locate import locate
from bouted.config.running import LauncherSettings
from bouted.config.schema import Config
from bouted.daemon.planning import Selects
from bouted.daemon.problem import Unlaunchable
from bouted.market.collect import open_feeds
from bouted.market.source import Feed
from bouted.planner.situation import ReplanPolicy
from bouted.reconcile.launcher import Choosy, Foresighted, Launcher, ToLoad
from bouted.workload.profile import WorkloadProfile

HOUR_S = 3600.0
LAUNCHERS = "bouted.launchers"
NEVER_S = 10 * 365 * 24 * HOUR_S  # `deadman_hours: off`: longer than any node lives


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A config that passed every check, and the catalog it works with."""

    path: Path
    config: Config
    catalog: Catalog

    @cached_property
    def declared(self) -> WorkloadProfile:
        """The load the config declares."""
        return self.config.declared_workload(self.config.planner.seed)


def load(path: Path, *, to_rent: bool = False) -> Loaded:
    """Read and check the config at `path`; ConfigErrors with every problem.

    `to_rent`: the launcher must be able to start the models' engines, as far as it knows beforehand. Whoever
    only looks, or stops what runs, goes without that. A state folder named in BOUTED_STATE (or with --state)
    takes the place of the config's.
    """
    shipped = load_catalog()
    config = load_config(
        path,
        known_models=tuple(model.name for model in shipped.models),
        known_gpus=tuple(gpu.name for gpu in shipped.gpus),
        foresees=partial(_require_startable, shipped) if to_rent else None,
    )
    if os.environ.get("BOUTED_STATE"):
        state_dir = locate(path, None, os.environ).state_dir
        config = config.model_copy(update={"state_dir": state_dir})
    return Loaded(path=path.absolute(), config=config, catalog=catalog_of(config, shipped))


def _require_startable(
    catalog: Catalog, settings: LauncherSettings, models: Mapping[str, ModelSettings]
) -> None:
    """ConfigErrors with what the launcher knows beforehand that it could not start."""
    plugin = plugins.load(LAUNCHERS, settings.name)
    if isinstance(plugin, Foresighted):
        wanted = (
            ToLoad(path=f"{path}.weights", engine=model.engine, weights=_weights(catalog, model))
            for path, model in models.items()
        )
        plugin.check_config(settings.options, tuple(wanted))


def _weights(catalog: Catalog, model: ModelSettings) -> str:
    folder = Path(model.spec).is_absolute()
    return model.weights or (model.spec if folder else catalog.model(model.spec).hf_repo)


def launcher_of(config: Config) -> Launcher:
    """The launcher the config names."""
    plugin = plugins.load(LAUNCHERS, config.launcher.name)
    return cast(
        Launcher,
        plugin.from_config(
            config.launcher.options,
            state_dir=config.state_dir,
            deployment=config.deployment,
            deadman_s=deadman_s(config),
        ),
    )


def unlaunchable_by(launcher: Launcher) -> Unlaunchable:
    """What tells why this launcher cannot launch an offer; nothing where it launches whatever it is given."""
    return launcher.unlaunchable if isinstance(launcher, Choosy) else lambda offers: {}


def deadman_s(config: Config) -> float:
    """Seconds of silence after which a node ends itself."""
    hours = config.safety.deadman_hours
    return NEVER_S if hours is None else hours * HOUR_S


def feeds_of(loaded: Loaded) -> tuple[Feed, ...]:
    """The price sources the config lists."""
    prices = loaded.config.prices
    return open_feeds(
        prices.sources, loaded.path.parent, every_s=prices.refresh_s, timeout_s=prices.timeout_s
    )


def selection_of(config: Config) -> Selects:
    """The selection policy, set up as the config says."""
    plugin = plugins.load("bouted.policies", "by_rule")
    return cast(Selects, plugin(min_payback_h=config.changes.min_payback_minutes / 60))


def replan_policy_of(config: Config) -> ReplanPolicy:
    """The policy that says when to plan again, set up as the config says."""
    plugin = plugins.load("bouted.policies", "drift")
    return cast(
        ReplanPolicy,
        plugin(
            price_step_pct=config.prices.step_pct,
            load_step_pct=config.changes.load_step_pct,
            load_settle_s=config.changes.load_settle_s,
            min_gap_s=config.changes.min_replan_gap_s,
        ),
    )
