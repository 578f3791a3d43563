"""A prompt as numbers: hashed words, word pairs and byte triples, and a few counts.

numpy only and a fixed recipe, so that the gateway scores a prompt exactly as it was scored when fitted.
It works on UTF-8 bytes: letters outside ASCII count as word characters, in any language.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]

BUCKETS = 4096
COUNTS = 4
SIZE = BUCKETS + COUNTS
# The question stands at the start or at the end; what lies between adds length, not difficulty.
HEAD_CHARS = 1500
TAIL_CHARS = 1500

_SPACE, _WORD, _MARK = 0, 1, 2
_SIGN = np.uint32(0x80000000)
_COUNTED = np.arange(BUCKETS, SIZE)
_DIGITS, _NEWLINES, _SYMBOLS = (np.zeros(256, dtype=bool) for _ in range(3))
_DIGITS[list(b"0123456789")] = True
_NEWLINES[list(b"\n")] = True
_SYMBOLS[list(b"{([=^<>_\\;|")] = True
_CLASSES = np.array(
    [_WORD if b >= 128 or chr(b).isalnum() else _SPACE if chr(b).isspace() else _MARK for b in range(256)],
    dtype=np.uint8,
)
# 31 ** k modulo 2 ** 32: what the k-th byte of a word is multiplied by.
_POWERS = np.cumprod(np.r_[1, np.full(4 * (HEAD_CHARS + TAIL_CHARS), 31)].astype(np.uint32), dtype=np.uint32)


@dataclass(frozen=True, slots=True)
class Features:
    """A sparse vector of length `SIZE`: no index twice, `value` beside `index`."""

    index: npt.NDArray[np.intp]
    value: npt.NDArray[np.float64]


def features(prompt: str) -> Features:
    """The features of `prompt`; any text will do, none at all included."""
    text = prompt if len(prompt) <= HEAD_CHARS + TAIL_CHARS else prompt[:HEAD_CHARS] + prompt[-TAIL_CHARS:]
    raw = np.frombuffer(text.lower().encode("utf-8", "replace"), dtype=np.uint8)
    hashed = np.concatenate([_words(raw), _triples(raw)])
    kept = _distinct(hashed & (_SIGN | np.uint32(BUCKETS - 1)))
    index = (kept & np.uint32(BUCKETS - 1)).astype(np.intp)
    signs = np.where(kept & _SIGN, 1.0, -1.0) / max(1, len(kept)) ** 0.5
    return Features(np.concatenate([index, _COUNTED]), np.concatenate([signs, _counts(len(prompt), raw)]))


def _words(raw: npt.NDArray[np.uint8]) -> Hashes:
    """A hash for every word and mark, and one for every two neighbours."""
    if not len(raw):
        return np.empty(0, dtype=np.uint32)
    kind = _CLASSES[raw]
    first = kind != _SPACE
    first[1:] &= (kind[1:] == _MARK) | (kind[1:] != kind[:-1])
    starts = np.flatnonzero(first)
    if not len(starts):
        return np.empty(0, dtype=np.uint32)
    spans = np.diff(starts, append=len(raw))
    place = np.arange(starts[0], len(raw)) - np.repeat(starts, spans)
    letters = np.where(kind == _SPACE, np.uint32(0), raw.astype(np.uint32) + np.uint32(1))[starts[0] :]
    words = np.add.reduceat(letters * _POWERS[place], starts - starts[0], dtype=np.uint32)
    return _mixed(np.concatenate([words, words[:-1] * np.uint32(1_000_003) + words[1:]]))


def _triples(raw: npt.NDArray[np.uint8]) -> Hashes:
    wide = raw.astype(np.uint32)
    return _mixed((wide[:-2] << np.uint32(16)) | (wide[1:-1] << np.uint32(8)) | wide[2:])


def _mixed(values: Hashes) -> Hashes:
    """Spread over all 32 bits: multiply, fold, multiply."""
    values = values * np.uint32(2654435761)
    return (values ^ (values >> np.uint32(15))) * np.uint32(2246822519)


def _distinct(values: Hashes) -> Hashes:
    """Each value once (np.unique does the same, ten times slower on short arrays)."""
    values.sort()
    first = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return values[first]


def _counts(chars: int, raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    per_ten = 10.0 / max(1, len(raw))
    shown = (np.count_nonzero(table[raw]) * per_ten for table in (_DIGITS, _NEWLINES, _SYMBOLS))
    return np.array([np.log1p(chars) / 8.0, *shown])
