"""Config sections that say what is wanted: money, load, models, and how quality is known."""

from decimal import Decimal
from pathlib import Path
from re import compile as pattern
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    computed_field,
    field_validator,
    model_validator,
)

from bouted.catalog.hf import read_hf
from bouted.catalog.precision import Precision
from bouted.codec import content_hash
from bouted.config.fields import (
    ExistingFile,
    Name,
    Positive,
    Seconds,
    Share,
    Text,
    Usd,
    Whole,
    absolute,
    known_name,
    one_of,
    refusal,
    shown,
    surroundings,
)
from bouted.config.section import Section
from bouted.errors import Misconfigured
from bouted.market.egress import INTERNET
from bouted.perf.shapes import Engine
from bouted.reconcile.actions import OnBreach

_DESCRIBED = "any other model: give the folder with its config.json"
_WEIGHTS = pattern(
    r"/[A-Za-z0-9._@+/-]*[A-Za-z0-9._-]\Z"
    r"|(s3|gs)://[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9._=-]+)*/?\Z"
    r"|[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*\Z"
)
_PLACE = pattern(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){1,2}\Z")


class BudgetSettings(Section):
    """What may be spent. `surge` is the extra allowed while moving; half of `usd_per_hour` unless given.

    `on_breach` is how far shedding goes when a price rose under a running fleet.
    """

    usd_per_hour: Annotated[Usd, Field(gt=0)]
    surge_usd_per_hour: Usd = Field(default_factory=lambda given: given["usd_per_hour"] / Decimal(2))
    usd_per_month: Annotated[Usd, Field(gt=0)] | None = None
    on_breach: Annotated[OnBreach, one_of(OnBreach)] = OnBreach.KEEP_FLOOR


class WorkloadSettings(Section):
    """The load to plan for until queries have been seen, and the window they are then judged over."""

    rate_per_s: Annotated[Positive, Field(le=100_000)]
    prompt_tokens: Annotated[Whole, Field(ge=1)]
    output_tokens: Annotated[Whole, Field(ge=1)]
    arrival_cv: Annotated[Positive, Field(le=20)] = 1.0
    window_s: Seconds = 300.0


def _spec(value: str, info: ValidationInfo) -> str:
    """A catalog's name as it is; a folder or config.json as an absolute path, once it has been read."""
    around = surroundings(info)
    if "/" not in value and not value.endswith(".json"):
        return known_name("model in the catalog", around.models, value, _DESCRIBED)
    path = absolute(value, around.folder)
    if around.models is not None:
        _published(path)
    return str(path)


def _published(path: Path) -> Precision:
    """The precision of the weights at `path`; refused in the reader's words when it cannot be read."""
    if not path.exists():
        raise refusal(f"there is no {shown(str(path))}", "a catalog's name, or the folder with a config.json")
    try:
        return read_hf(path).precision
    except Misconfigured as error:
        raise refusal(error.message, error.hint) from error


def _place(value: str) -> str:
    if value != INTERNET and not _PLACE.match(value):
        raise refusal(
            f"must be cloud/region or {INTERNET}, got {shown(value)}",
            "like aws/us-east-1: where the bucket with the weights is",
        )
    return value


def _weights(value: str) -> str:
    if not _WEIGHTS.match(value):
        raise refusal(
            f"must be a hub's repository, a bucket's URL or an absolute path, got {shown(value)}",
            "like meta-llama/Llama-3.1-8B-Instruct, s3://bucket/llama or /mnt/weights/llama",
        )
    return value


class ModelSettings(Section):
    """One model to serve. Empty `clouds` and `regions` allow all; `owned` names your own machines there.

    `spec` is a name in the catalog, or the folder with a model's `config.json` as an absolute path.

    `weights` is what engines load: a repository of the hub, a bucket's URL, or an absolute path on the node;
    the spec's own repository or folder unless given. `weights_from` is where a starting node fetches them,
    for the price of it. `quality` is a score that you declare, for want of evals.
    """

    name: Name
    spec: Annotated[Text, AfterValidator(_spec)]
    engine: Annotated[Engine, one_of(Engine)] = Engine.VLLM
    precision: Annotated[Precision, one_of(Precision)] = Field(default=Precision.BF16, validate_default=True)
    min_replicas: Annotated[Whole, Field(ge=0, le=64)] = 1
    context_tokens: Annotated[Whole, Field(ge=128, le=10_000_000)] = 4096
    clouds: tuple[Text, ...] = ()
    regions: tuple[Text, ...] = ()
    weights: Annotated[Text, AfterValidator(_weights)] | None = None
    weights_from: Annotated[Text, AfterValidator(_place)] = INTERNET
    quality: Share | None = None

    @field_validator("precision")
    @classmethod
    def _of_the_folder(cls, precision: Precision, info: ValidationInfo) -> Precision:
        """Engines quantise 16-bit weights to fp8 as they load them; everything else is as published."""
        spec = info.data.get("spec", "")
        if surroundings(info).models is None or not Path(spec).is_absolute():
            return precision
        published = _published(Path(spec))
        if precision is published or (precision is Precision.FP8 and published is Precision.BF16):
            return precision
        raise refusal(f"is {precision}, but the weights in {spec} are {published}", f"write {published}")


class RoutingSettings(Section):
    """Where the quality of each model is known from: your own evals, or the synthetic set that ships.

    With neither, each model's `quality` must be declared: see `known_quality`. `embeddings` names a model of
    the sentence-transformers package that the router judges prompts with as well.

    `evals_hash` is no key: it makes new content of the evals file a change of the config.
    """

    synthetic: bool = False
    evals_file: ExistingFile | None = None
    embeddings: Text | None = None
    _evals_hash: str = PrivateAttr(default="")

    @field_validator("evals_file")
    @classmethod
    def _one_of_the_two(cls, evals_file: Path | None, info: ValidationInfo) -> Path | None:
        if evals_file is not None and info.data.get("synthetic") is True:
            raise refusal("is given although synthetic is true", "keep one of them")
        return evals_file

    @model_validator(mode="after")
    def _read_once(self) -> Self:
        if self.evals_file is not None:
            try:
                self._evals_hash = content_hash(self.evals_file.read_bytes())
            except OSError as error:
                said = f"cannot be read: {error.strerror}"
                raise refusal(said, "check who may read it", key="evals_file") from error
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def evals_hash(self) -> str:
        """Names the content of the evals file as it was when the config was read; "" without one."""
        return self._evals_hash


def known_quality(routing: RoutingSettings, models: tuple[ModelSettings, ...]) -> RoutingSettings:
    """`routing` as given; refused unless quality is known for every model, and from one place."""
    evals = routing.synthetic or routing.evals_file is not None
    declared = [model.name for model in models if model.quality is not None]
    missing = [model.name for model in models if model.quality is None]
    if evals and declared:
        raise refusal(
            f"gives evals although quality is declared for {', '.join(declared)}", "keep one of them"
        )
    if declared and missing:
        said = f"is needed: quality is declared for {', '.join(declared)} and not for {', '.join(missing)}"
        raise refusal(said, "or declare every model's quality", key="evals_file")
    if not evals and not declared:
        raise refusal(
            "is needed: one JSON line per prompt with each model's score",
            "or set synthetic: true to try bouted without your own, or declare each model's quality",
            key="evals_file",
        )
    return routing


def declared_scores(models: tuple[ModelSettings, ...]) -> dict[str, float]:
    """The declared quality of each model; empty where evals tell it."""
    return {model.name: model.quality for model in models if model.quality is not None}
