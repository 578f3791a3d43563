"""The config in force. An edit replaces it whole or not at all."""

from dataclasses import dataclass
from pathlib import Path

from bouted.config.change import ConfigChange, Scope, config_change
from bouted.config.schema import Config
from bouted.daemon.parts import Loaded, feeds_of, load
from bouted.errors import BoutedError
from bouted.ledger.rules import BillingRule
from bouted.market.source import Feed
from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import Limits
from bouted.reconcile.rollout import RolloutRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What reading the config again came to. `feeds` are set when the price sources changed.

    `rejected` says why the last good config stays in force; "" when the edit was taken up.
    """

    change: ConfigChange | None = None
    feeds: tuple[Feed, ...] | None = None
    rejected: str = ""


@dataclass(slots=True)
class HeldConfig:
    """Holds what `load` returned last. `error` is why the newest edit is not in force, "" if it is."""

    loaded: Loaded
    error: str = ""

    @property
    def config(self) -> Config:
        """The config in force."""
        return self.loaded.config

    def watched(self) -> tuple[Path, ...]:
        """The files whose edits matter: the config's own, and the evals that it names."""
        evals = self.config.routing.evals_file
        return (self.loaded.path,) if evals is None else (self.loaded.path, evals)

    def limits(self) -> Limits:
        """Bounds on acting, as of now."""
        return self.config.limits()

    def rules(self) -> tuple[ModelRules, ...]:
        """Where each model may run, as of now."""
        return self.config.model_rules(tuple(model.name for model in self.config.models))

    def rollout(self) -> RolloutRules:
        """How new kinds of replicas are tried, as of now."""
        return self.config.changes.rollout.rules()

    def absent_s(self) -> float:
        """How long a list must lack something before it is gone, as of now."""
        return self.config.safety.absent_s

    def sweep_s(self) -> float:
        """How often the provider's whole list is compared with the rows, as of now."""
        return self.config.safety.sweep_s

    def orphan_grace_s(self) -> float:
        """How old what runs without a row may get, as of now."""
        return self.config.safety.orphan_grace_s

    def billing(self) -> tuple[BillingRule, ...]:
        """How each provider bills, by the config in force."""
        return self.config.billing_rules()

    def specs(self) -> dict[str, str]:
        """The catalog's name of each model, as of now."""
        return {model.name: model.spec for model in self.config.models}

    def reload(self) -> Edit:
        """Read the file again; a broken or restart-only edit leaves everything as it was."""
        try:
            fresh = load(self.loaded.path, to_rent=True)
            feeds = feeds_of(fresh)
        except BoutedError as error:
            return self._refused(f"config edit rejected: {error}")
        change = config_change(self.config, fresh.config)
        if change.scope is Scope.RESTART:
            return self._refused(f"restart bouted to take up the change of {', '.join(change.paths)}")
        self.error = ""
        if change.scope is Scope.NONE:
            return Edit()
        repriced = fresh.config.prices != self.config.prices
        self.loaded = fresh
        return Edit(change=change, feeds=feeds if repriced else None)

    def _refused(self, why: str) -> Edit:
        known, self.error = self.error == why, why
        return Edit() if known else Edit(rejected=why)
