"""Which image a machine that SkyPilot rents is to boot, as the config has it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bouted.config.problems import Problem, did_you_mean

CLOUDS = ("aws", "gcp", "azure", "lambda", "runpod", "vast", "k8s", "ssh")
_ANY = ""
LIKE = "like {aws: {us-east-1: ami-0123}, gcp: projects/PROJECT/global/images/NAME}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Images by cloud and region, each as SkyPilot's `image_id` takes it. Where none is named it is one of
    SkyPilot's own; with `needed` those do not do, since engines come with the image."""

    named: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    needed: bool = False

    def of(self, infra: str) -> str | None:
        """The image for a place like aws/us-east-1/us-east-1a; "" for SkyPilot's own, None: none does."""
        cloud, _, place = infra.partition("/")
        regions = self.named.get(cloud, self.named.get(_ANY, {}))
        if not regions:
            return None if self.needed else ""
        here = (image for region, image in regions.items() if f"{place}/".startswith(f"{region}/"))
        return regions.get(_ANY) or next(here, None)


def read_images(said: object, path: str) -> tuple[Mapping[str, Mapping[str, str]], tuple[Problem, ...]]:
    """What an option says: one image for all clouds, or for each one image or one per region."""
    if said == {}:
        return {}, ()
    if isinstance(said, str) or not isinstance(said, Mapping):
        image, problems = _image(said, path)
        return {_ANY: {_ANY: image}}, problems
    read = {str(cloud): _regions(regions, f"{path}.{cloud}") for cloud, regions in said.items()}
    unknown = tuple(_unknown(cloud, path) for cloud in sorted(read) if cloud not in CLOUDS)
    problems = (*unknown, *(one for _, found in read.values() for one in found))
    return {cloud: regions for cloud, (regions, _) in read.items()}, problems


def _regions(said: object, path: str) -> tuple[Mapping[str, str], tuple[Problem, ...]]:
    if not isinstance(said, Mapping) or not said:
        image, problems = _image(said, path)
        return {_ANY: image}, problems
    read = {str(region): _image(image, f"{path}.{region}") for region, image in said.items()}
    return {region: image for region, (image, _) in read.items()}, tuple(
        one for _, problems in read.values() for one in problems
    )


def _image(said: object, path: str) -> tuple[str, tuple[Problem, ...]]:
    if isinstance(said, str) and said and not any(letter.isspace() for letter in said):
        return said, ()
    return "", (Problem(path=path, message=f"must be an image's name, got {said!r}", hint=LIKE),)


def _unknown(cloud: str, path: str) -> Problem:
    hint = did_you_mean(cloud, CLOUDS) or f"clouds: {', '.join(CLOUDS)}"
    return Problem(path=f"{path}.{cloud}", message="no such cloud", hint=hint)
