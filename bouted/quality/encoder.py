"""Sentence embeddings as further features of a prompt, for routers that were trained with them."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bouted.errors import Misconfigured

Floats = npt.NDArray[np.float64]

PACKAGE = "sentence-transformers"


class Encoder(Protocol):
    """Texts as vectors. `name` is what `load_encoder` finds it by."""

    name: str

    def encode(self, texts: Sequence[str]) -> Floats:
        """A row a text, all of the same length."""
        ...


class SentenceEncoder:
    """A model of the sentence-transformers package, by its name on a hub or its folder."""

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self._model = model

    def encode(self, texts: Sequence[str]) -> Floats:
        """Embeddings of length 1."""
        found = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, dtype=np.float64)


def load_encoder(name: str) -> Encoder:
    """The encoder of this name; Misconfigured when the package or the model cannot be had."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as cause:
        hint = "install it with: pip install 'bouted[embeddings]'"
        raise Misconfigured("embeddings", f"the package {PACKAGE} is not installed", hint=hint) from cause
    try:
        return SentenceEncoder(name, SentenceTransformer(name))
    except (OSError, ValueError) as cause:
        said = str(cause).split("\n")[0]
        hint = f"give a name that {PACKAGE} knows, or the folder of a model"
        raise Misconfigured("embeddings", f"cannot load {name}: {said}", hint=hint) from cause
