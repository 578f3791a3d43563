"""The options of the SkyPilot launcher, as the config has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bouted.config.problems import ConfigErrors, Problem
from bouted.perf.shapes import Engine

from .engine_checks import OptionChecks
from .engine_choice import Engines
from .sky_images import LIKE, Images, read_images

PATH = "launcher.options"
PORT = 46590  # beside SkyPilot's own default, so that a user's API server is not met
DISK_GIB = 256
OWN = {"ssh": "ssh", "k8s": "kubernetes"}  # SkyPilot's clouds that own machines are, by how an infra begins


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyOptions:
    """How the launcher is set up.

    `folder` has everything that it keeps: records, keys, SkyPilot's own HOME; None for one in the state
    folder. Daemons on one machine that take over from each other share it.
    `clouds` are those that SkyPilot may look at (all that have credentials unless given). `infra` says where
    own machines are, by their names: an SSH pool or a Kubernetes context, as SkyPilot writes it. `images` are
    what machines boot. `sky` is merged into SkyPilot's own config, e.g. a VPC. `credentials_from` is the home
    folder with the clouds' credentials, this process's own unless given.
    """

    folder: Path | None
    port: int
    disk_gib: int
    clouds: tuple[str, ...]
    infra: Mapping[str, str]
    images: Images
    sky: Mapping[str, object]
    credentials_from: Path
    engines: Engines

    @classmethod
    def from_config(cls, options: Mapping[str, object]) -> "SkyOptions":
        """The options as the config has them; ConfigErrors with every problem found."""
        asked = OptionChecks(options, PATH)
        port = asked.whole("port", PORT, most=65535)
        disk_gib = asked.whole("disk_gib", DISK_GIB, most=65536)
        clouds, home, folder = asked.texts("clouds"), asked.place("credentials_from"), asked.folder("folder")
        infra, infra_wrong = _infra(asked.section("infra"))
        sky, sky_wrong = _sky(asked.section("sky"))
        engines, engines_wrong = _engines(asked.section("engines"))
        images, images_wrong = _images(asked.section("image"), engines)
        problems = (*asked.problems(), *infra_wrong, *sky_wrong, *engines_wrong, *images_wrong)
        if problems or engines is None:
            raise ConfigErrors("config", problems)
        return cls(
            folder=Path(folder) if folder else None,
            port=port,
            disk_gib=disk_gib,
            clouds=clouds,
            infra=infra,
            images=images,
            sky=sky,
            credentials_from=Path(home) if home else Path.home(),
            engines=engines,
        )

    def settings(self) -> dict[str, object]:
        """SkyPilot's own config. Of the contexts of a kubeconfig it uses the current one alone, unless it is
        told which."""
        own = {OWN[kind] for kind, _ in self._own_places()}
        found: dict[str, object] = dict(self.sky)
        if self.clouds:
            found = {"allowed_clouds": sorted({*self.clouds, *own}), **found}
        contexts = sorted({context for kind, context in self._own_places() if kind == "k8s"})
        theirs = found.get("kubernetes", {})
        if contexts and isinstance(theirs, Mapping):
            found["kubernetes"] = {"allowed_contexts": contexts, **theirs}
        return found

    def _own_places(self) -> Iterator[tuple[str, str]]:
        for place in self.infra.values():
            kind, _, name = place.partition("/")
            yield kind, name


def _sky(section: object) -> tuple[Mapping[str, object], tuple[Problem, ...]]:
    if isinstance(section, Mapping):
        return section, ()
    wrong = Problem(
        path=f"{PATH}.sky", message=f"must be a section, got {section!r}", hint="as in SkyPilot's config.yaml"
    )
    return {}, (wrong,)


def _infra(section: object) -> tuple[Mapping[str, str], tuple[Problem, ...]]:
    if isinstance(section, Mapping) and all(
        isinstance(place, str) and place.partition("/")[0] in ("ssh", "k8s") for place in section.values()
    ):
        return {str(name): str(place) for name, place in section.items()}, ()
    wrong = Problem(
        path=f"{PATH}.infra",
        message=f"must name each own machine's place, got {section!r}",
        hint="like {rack1: ssh/rack1, pods: k8s/CONTEXT}",
    )
    return {}, (wrong,)


def _images(section: object, engines: Engines | None) -> tuple[Images, tuple[Problem, ...]]:
    """An engine that only an image can bring needs one: SkyPilot's own have none."""
    named, wrong = read_images(section, f"{PATH}.image")
    brought = [engine for engine in Engine if engines is not None and engine not in engines.versions()]
    if not named and brought:
        missing = Problem(
            path=f"{PATH}.image",
            message=f"must name one: SkyPilot's own have no {' and no '.join(brought)} (set_up: image)",
            hint=f"{LIKE}; or give the engine a program, or set_up: pip",
        )
        return Images(), (missing,)
    return Images(named=named, needed=bool(brought)), wrong


def _engines(section: object) -> tuple[Engines | None, tuple[Problem, ...]]:
    if not isinstance(section, Mapping):
        return None, (Problem(path=f"{PATH}.engines", message=f"must be a section, got {section!r}"),)
    try:
        return Engines.from_config(section, f"{PATH}.engines"), ()
    except ConfigErrors as wrong:
        return None, wrong.problems
