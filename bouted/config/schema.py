"""The whole config, and the values that deciding takes from it."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from bouted.config.billing import BillingSettings, billing_rules, said_once
from bouted.config.fields import AnyPath, ShortName, one_of, refusal, shown
from bouted.config.goals import (
    BudgetSettings,
    ModelSettings,
    RoutingSettings,
    WorkloadSettings,
    known_quality,
)
from bouted.config.hardware import GpuTypeSettings
from bouted.config.locate import database_url
from bouted.config.planner import PlannerSettings
from bouted.config.running import (
    AlertSettings,
    ChangeSettings,
    DatabaseSettings,
    LauncherSettings,
    ListenSettings,
    SafetySettings,
)
from bouted.config.section import Section
from bouted.config.supply import OWNED, Holding, PriceSettings, SupplySettings
from bouted.config.targets import TargetSettings
from bouted.errors import Misconfigured
from bouted.ledger.rules import BillingRule
from bouted.market.allowed import SupplyRules
from bouted.market.belief import Trust
from bouted.market.egress import EgressRule
from bouted.market.offers import Confidence, Market, Offer
from bouted.perf.profile import Metric
from bouted.planner.goals import Targets
from bouted.planner.problem import ModelRules
from bouted.planner.terms import Budget, Quota
from bouted.reconcile.actions import Limits
from bouted.workload.declared import declared_profile
from bouted.workload.profile import WorkloadProfile

VERSION = 1


class Mode(StrEnum):
    """What may be done with a plan: only shown, done once a person agrees, or done."""

    ADVISE = "advise"
    CONFIRM = "confirm"
    APPLY = "apply"


def _version(value: object) -> object:
    if value != VERSION or isinstance(value, bool):
        raise refusal(f"must be {VERSION}, got {shown(value)}", f"this bouted reads version {VERSION}")
    return value


class Config(Section):
    """One deployment. Paths are absolute; money is exact; every check that needs only the file has passed."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    deployment: ShortName
    mode: Annotated[Mode, one_of(Mode)] = Mode.ADVISE
    state_dir: AnyPath
    database: DatabaseSettings = DatabaseSettings()
    budget: BudgetSettings
    targets: TargetSettings
    models: Annotated[tuple[ModelSettings, ...], Field(min_length=1)]
    workload: WorkloadSettings
    routing: RoutingSettings = Field(default=RoutingSettings(), validate_default=True)
    gpus: tuple[GpuTypeSettings, ...] = ()
    supply: SupplySettings = SupplySettings()
    prices: PriceSettings = PriceSettings()
    billing: Annotated[tuple[BillingSettings, ...], AfterValidator(said_once)] = ()
    changes: ChangeSettings = ChangeSettings()
    planner: PlannerSettings = PlannerSettings()
    launcher: LauncherSettings = LauncherSettings()
    safety: SafetySettings = SafetySettings()
    alerts: AlertSettings = AlertSettings()
    listen: ListenSettings = ListenSettings()

    @field_validator("models")
    @classmethod
    def _classes_are_reached(
        cls, models: tuple[ModelSettings, ...], info: ValidationInfo
    ) -> tuple[ModelSettings, ...]:
        longest = min(model.context_tokens for model in models)
        targets = info.data.get("targets")
        for one in targets.classes if targets is not None else ():
            if one.prompt_tokens_from >= longest:
                raise refusal(
                    f"have contexts of {longest} tokens, but targets.classes has {one.name} from"
                    f" {one.prompt_tokens_from} prompt tokens",
                    "no request is that long: raise context_tokens, or leave the class out",
                )
        return models

    @field_validator("workload")
    @classmethod
    def _requests_fit(cls, workload: WorkloadSettings, info: ValidationInfo) -> WorkloadSettings:
        for model in info.data.get("models", ()):
            if workload.prompt_tokens + workload.output_tokens > model.context_tokens:
                raise refusal(
                    f"with output_tokens passes the {model.context_tokens} context_tokens of {model.name}",
                    "raise that model's context_tokens",
                    key="prompt_tokens",
                )
        return workload

    @field_validator("routing")
    @classmethod
    def _quality_is_known(cls, routing: RoutingSettings, info: ValidationInfo) -> RoutingSettings:
        return known_quality(routing, info.data["models"]) if "models" in info.data else routing

    @field_validator("supply")
    @classmethod
    def _models_can_be_placed(cls, supply: SupplySettings, info: ValidationInfo) -> SupplySettings:
        places = {OWNED, *supply.clouds, *(machine.provider for machine in supply.owned)}
        for model in info.data.get("models", ()):
            if supply.clouds and model.clouds and not places & set(model.clouds):
                clouds = ", ".join(model.clouds)
                raise refusal(
                    f"leaves out {clouds}, the only place allowed for model {model.name}", key="clouds"
                )
        return supply

    def database_url(self) -> str:
        """The store's URL; Misconfigured when `url_file` cannot be read."""
        url_file = self.database.url_file
        return database_url(self.state_dir, self.database.url, str(url_file) if url_file else None)

    def targets_s(self) -> Targets:
        """The targets in seconds. Unless named, the objective is the first set of e2e, ttft, tpot."""
        latencies = self.targets.latencies_s()
        return Targets(
            ttft_p95_s=latencies.get(Metric.TTFT),
            tpot_p95_s=latencies.get(Metric.TPOT),
            e2e_p95_s=latencies.get(Metric.E2E),
            quality_min=self.targets.quality_min,
            objective=self.targets.objective or next(iter(latencies)),
            classes=tuple(item.value() for item in self.targets.classes),
        )

    def budget_value(self) -> Budget:
        """The hourly budget and surge."""
        return Budget(
            usd_per_hour=self.budget.usd_per_hour, surge_usd_per_hour=self.budget.surge_usd_per_hour
        )

    def declared_workload(self, seed: int) -> WorkloadProfile:
        """The load the config declares; no request is longer than the shortest context of any model."""
        return declared_profile(
            rate_per_s=self.workload.rate_per_s,
            prompt_tokens=self.workload.prompt_tokens,
            output_tokens=self.workload.output_tokens,
            arrival_cv=self.workload.arrival_cv,
            most_tokens=min(model.context_tokens for model in self.models),
            seed=seed,
        )

    def model_rules(self, order: tuple[str, ...]) -> tuple[ModelRules, ...]:
        """The models' rules in `order`, the quality model's; Misconfigured unless the names agree."""
        settings = {model.name: model for model in self.models}
        if set(order) != set(settings):
            raise Misconfigured(
                "models",
                f"the config names {', '.join(sorted(settings))}, the evals {', '.join(sorted(order))}",
                hint="each model needs a score in the evals, under the same name",
            )
        return tuple(
            ModelRules(
                name=name,
                clouds=settings[name].clouds,
                regions=settings[name].regions,
                min_replicas=settings[name].min_replicas,
            )
            for name in order
        )

    def supply_rules(self) -> SupplyRules:
        """What may be rented, for `allowed_offers`."""
        supply = self.supply
        return SupplyRules(
            clouds=supply.clouds,
            regions_allow=supply.regions.allow,
            regions_deny=supply.regions.deny,
            gpus_allow=supply.gpus.allow,
            gpus_deny=supply.gpus.deny,
        )

    def owned_offers(self, now: datetime) -> tuple[Offer, ...]:
        """What the config lists under `supply.owned` as offers, seen `now`, at what using one adds.

        That is its rate; nothing for a committed machine, which is paid for anyway.
        """
        return tuple(
            Offer(
                provider=owned.provider,
                region=owned.region,
                zone=owned.zone or "",
                instance_type=owned.offered_type,
                gpu=owned.gpu,
                gpu_count=owned.gpu_count,
                market=Market.OWNED,
                usd_per_hour=Decimal(0) if owned.kind is Holding.COMMITTED else owned.usd_per_hour,
                obtainable=owned.count,
                hazard_per_hour=0.0,
                source="config",
                observed_at=now,
                confidence=Confidence.HIGH,
            )
            for owned in self.supply.owned
        )

    def trust(self) -> Trust:
        """How far prices are believed."""
        return Trust(
            usd_per=self.prices.usd_per,
            spot_limit=timedelta(hours=self.prices.spot_limit_hours),
            on_demand_limit=timedelta(hours=self.prices.on_demand_limit_hours),
        )

    def billing_rules(self) -> tuple[BillingRule, ...]:
        """How each provider bills: the config's rules, then those that ship."""
        return billing_rules(self.billing)

    def committed_usd_per_hour(self) -> Decimal:
        """What committed machines cost whatever is planned; no part of the budget."""
        return sum(
            (
                owned.usd_per_hour * owned.count
                for owned in self.supply.owned
                if owned.kind is Holding.COMMITTED
            ),
            Decimal(0),
        )

    def egress_rules(self) -> tuple[EgressRule, ...]:
        """The operator's own prices of moving data; they win over those that ship."""
        return tuple(
            EgressRule(origin=price.from_, target=price.to, usd_per_gib=price.usd_per_gib)
            for price in self.supply.egress
        )

    def quotas(self) -> tuple[Quota, ...]:
        """How many GPUs of a type may be held at once."""
        return tuple(quota.value() for quota in self.supply.quotas)

    def limits(self) -> Limits:
        """Bounds on acting."""
        return Limits(
            cap_usd_per_hour=self.budget.usd_per_hour,
            surge_usd_per_hour=self.budget.surge_usd_per_hour,
            drain_s=self.changes.drain_s,
            launch_timeout_s=self.changes.launch_timeout_s,
            ready_timeout_s=self.changes.ready_timeout_s,
            max_launches=self.changes.max_launches,
            cap_usd_per_month=self.budget.usd_per_month,
            stop_timeout_s=self.changes.stop_timeout_s,
            max_surge_replicas=self.changes.max_surge_replicas,
            max_stop_pct=self.changes.max_stop_pct,
            on_breach=self.budget.on_breach,
            disruption=self.changes.disruption.value(),
        )
