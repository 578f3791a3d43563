"""A Llama folder small enough for a CPU: a config and a tokenizer of made-up words, no weights.

`--load-format dummy` fills the weights at random. A word is a token, so `w7 w8` is a prompt of two tokens
and whatever comes out can be read at once.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_SPECIAL = ("<unk>", "<s>", "</s>")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaSize:
    """The fields of a Llama's `config.json` that make its size."""

    vocab_size: int = 2048
    hidden_size: int = 512
    intermediate_size: int = 1536
    num_hidden_layers: int = 8
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 64
    max_position_embeddings: int = 2048


def write_llama(folder: Path, size: LlamaSize) -> None:
    """Write the folder; what is there is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        **asdict(size),
    }
    names = {"unk_token": _SPECIAL[0], "bos_token": _SPECIAL[1], "eos_token": _SPECIAL[2]}
    _write(folder / "config.json", config)
    _write(folder / "tokenizer.json", _tokenizer(size.vocab_size))
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **names})


def _tokenizer(vocab_size: int) -> dict[str, object]:
    words = (*_SPECIAL, *(f"w{n}" for n in range(len(_SPECIAL), vocab_size)))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": n,
                "content": word,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for n, word in enumerate(_SPECIAL)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: n for n, w in enumerate(words)}, "unk_token": "<unk>"},
    }


def _write(path: Path, said: dict[str, object]) -> None:
    path.write_text(json.dumps(said) + "\n", encoding="utf-8")
