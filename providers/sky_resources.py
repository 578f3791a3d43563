"""Which SkyPilot resources rent exactly an offer, or why none do. Pure; SkyPilot is not loaded.

A choice is pinned: place, instance type and market, one of each, so that SkyPilot's optimiser has nothing to
choose. docs/skypilot.md has the tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bouted.config.supply import OWNED
from bouted.market.offers import Market, Offer

from .sky_images import Images
from .sky_places import ZoneNames, aws_place, azure_place, gcp_place, lambda_place, runpod_place
from .sky_types import NotLaunchable, gpu_at_sky, in_gcp, on_azure, on_runpod
from .sky_types_vast import VastMachines

_UNPINNED = frozenset("/*")  # "*" is any place to SkyPilot, and "/" begins another part


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyNames:
    """What the names depend on besides the offer.

    `zones` are the AWS account's. `owned` has the infra, like ssh/rack1 or k8s/CONTEXT, of own machines by
    the instance type of their offers. `images` are those that the config names. `vast` is what SkyPilot lists
    at Vast, and None while its search there does not hold.
    """

    zones: ZoneNames = field(default_factory=ZoneNames)
    owned: Mapping[str, str] = field(default_factory=dict)
    images: Images = field(default_factory=Images)
    vast: VastMachines | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyChoice:
    """The resources, pinned. `accelerators` is like T4:1 where they hang on a machine, "" where the instance
    type brings its own. `instance_type` is "" on Kubernetes and SSH pools, which have none. `image` is "" for
    SkyPilot's own."""

    infra: str
    instance_type: str
    use_spot: bool
    accelerators: str = ""
    image: str = ""


def choice_of(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    """The resources that rent this offer and no other. A machine that is reserved at a cloud is rented there
    on demand: the cloud itself sets it off against the reservation."""
    choice = _without_image(offer, names)
    if isinstance(choice, NotLaunchable):
        return choice
    image = names.images.of(choice.infra)
    if image is None:
        return NotLaunchable(reason=f"launcher.options.image names none for {_region(choice.infra)}")
    return replace(choice, image=image)


def _region(infra: str) -> str:
    """A place without its zone; a Kubernetes context is one name, slashes and all."""
    return infra if infra.startswith("k8s/") else "/".join(infra.split("/")[:2])


def _without_image(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    if offer.provider == OWNED:
        return _owned(offer, names)
    cloud = _CLOUDS.get(offer.provider)
    if cloud is None:
        return NotLaunchable(reason=f"no way to rent at {offer.provider} yet")
    if not (_names_a_place(offer.region) and _names_a_place(offer.zone or offer.region)):
        return NotLaunchable(reason=f"{offer.region!r}, zone {offer.zone!r}, is no place")
    return cloud(offer, names)


def resources_config(choice: SkyChoice, labels: Mapping[str, str]) -> dict[str, object]:
    """The choice as SkyPilot's `resources` in a task's YAML; `labels` become tags where a cloud has them."""
    config: dict[str, object] = {"infra": choice.infra, "use_spot": choice.use_spot}
    if choice.instance_type:
        config["instance_type"] = choice.instance_type
    if choice.accelerators:
        config["accelerators"] = choice.accelerators
    if choice.image:
        config["image_id"] = choice.image
    if labels:
        config["labels"] = dict(labels)
    return config


def _names_a_place(text: str) -> bool:
    return bool(text) and text == text.strip() and not _UNPINNED & set(text)


def _pinned(
    offer: Offer, place: str | NotLaunchable, instance_type: str | NotLaunchable, accelerators: str = ""
) -> SkyChoice | NotLaunchable:
    """Put together, unless the place or the type has no name at SkyPilot."""
    if isinstance(instance_type, NotLaunchable):
        return instance_type
    if isinstance(place, NotLaunchable):
        return place
    return SkyChoice(
        infra=f"{offer.provider}/{place}".rstrip("/"),
        instance_type=instance_type,
        use_spot=offer.market is Market.SPOT,
        accelerators=accelerators,
    )


def _aws(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    return _pinned(offer, aws_place(offer, names.zones), offer.instance_type)


def _gcp(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    accelerators = in_gcp(offer)
    if isinstance(accelerators, NotLaunchable):
        return accelerators
    return _pinned(offer, gcp_place(offer), offer.instance_type, accelerators)


def _azure(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    return _pinned(offer, azure_place(offer), on_azure(offer))


def _lambda(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    if offer.market is Market.SPOT:
        return NotLaunchable(reason="Lambda has no spot market")
    return _pinned(offer, lambda_place(offer), offer.instance_type)


def _runpod(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    if offer.market is Market.SPOT:
        return NotLaunchable(reason="on RunPod SkyPilot bids its own catalog's price, not this one")
    return _pinned(offer, runpod_place(offer), on_runpod(offer))


def _vast(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    if names.vast is None:
        return NotLaunchable(reason="SkyPilot 0.14.1 loses its search on Vast and would rent any machine")
    found = names.vast.that_is(offer)
    if isinstance(found, NotLaunchable):
        return found
    return _pinned(offer, found.region, found.instance_type)


def _owned(offer: Offer, names: SkyNames) -> SkyChoice | NotLaunchable:
    infra = names.owned.get(offer.instance_type)
    if infra is None:
        reason = f"own machine: give {offer.instance_type} an infra, like ssh/POOL or k8s/CONTEXT"
        return NotLaunchable(reason=reason)
    gpus = f"{gpu_at_sky(offer.gpu)}:{offer.gpu_count}"
    return SkyChoice(infra=infra, instance_type="", use_spot=False, accelerators=gpus)


_CLOUDS = {
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
    "lambda": _lambda,
    "runpod": _runpod,
    "vast": _vast,
}
