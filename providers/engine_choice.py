"""The engines of a deployment, as a launcher's options have them: `engines: {vllm: ..., sglang: ...}`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bouted.config.problems import ConfigErrors
from bouted.errors import Misconfigured
from bouted.perf.shapes import Engine
from bouted.reconcile.launcher import ReplicaOrder, ToLoad

from . import sglang, vllm
from .engine_adapter import TOKEN
from .engine_checks import OptionChecks, no_text
from .engine_options import EngineOptions, read_engine
from .engine_start import EngineStart
from .engine_weights import gated

_ADAPTERS = {Engine.VLLM: vllm.start_of, Engine.SGLANG: sglang.start_of}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """How each engine is set up, and the file with the hub's token ("": none), as `path` of the config says.
    The file is read when an engine starts: without it a fleet can still be looked at and stopped."""

    vllm: EngineOptions
    sglang: EngineOptions
    hf_token_file: str = ""
    path: str = "engines"

    @classmethod
    def from_config(cls, options: Mapping[str, object], path: str) -> "Engines":
        """The options under `path` in the config; ConfigErrors with every problem found."""
        asked = OptionChecks(options, path)
        read = {engine: read_engine(engine, asked.section(engine), f"{path}.{engine}") for engine in Engine}
        token_file = asked.file("hf_token_file")
        problems = (*asked.problems(), *(one for _, found in read.values() for one in found))
        if problems:
            raise ConfigErrors("config", problems)
        return cls(
            vllm=read[Engine.VLLM][0], sglang=read[Engine.SGLANG][0], hf_token_file=token_file, path=path
        )

    def start_of(self, order: ReplicaOrder) -> EngineStart:
        """The start of one replica by its engine's adapter, with the token as its file has it now."""
        options = self._options(order.shape.engine)
        return _ADAPTERS[order.shape.engine](order, options, secrets=self._secrets())

    def require_loadable(self, wanted: Sequence[ToLoad]) -> None:
        """ConfigErrors with all of these weights that no engine could load as things are now."""
        lacks = no_text(self.hf_token_file, f"{self.path}.hf_token_file") if self.hf_token_file else None
        if lacks is not None:
            raise ConfigErrors("config", (lacks,))
        token = bool(self.hf_token_file)
        found = (gated(one.weights, self._options(one.engine), token=token, path=one.path) for one in wanted)
        problems = tuple(problem for problem in found if problem is not None)
        if problems:
            raise ConfigErrors("config", problems)

    def versions(self) -> dict[Engine, str]:
        """What a start would bring now, of the engines whose version is chosen here and not by an image."""
        chosen = ((engine, self._options(engine)) for engine in Engine)
        return {engine: options.label for engine, options in chosen if options.version_chosen}

    def _options(self, engine: Engine) -> EngineOptions:
        return {Engine.VLLM: self.vllm, Engine.SGLANG: self.sglang}[engine]

    def _secrets(self) -> dict[str, str]:
        if not self.hf_token_file:
            return {}
        try:
            token = Path(self.hf_token_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Misconfigured(self.hf_token_file, f"cannot be read: {error.strerror}") from error
        return {TOKEN: token} if token else {}
