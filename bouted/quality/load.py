"""Reads the user's evals file, and refuses all of it when any line is wrong."""

import json
from importlib.resources import files
from math import isfinite
from pathlib import Path

from bouted.errors import Misconfigured
from bouted.quality.evals import EvalRecord

SHOWN = 10
SHAPE = '{"prompt": "...", "scores": {"model": 0.0 to 1.0}}'
KEYS = frozenset({"prompt", "scores", "synthetic"})


def load_evals(path: Path) -> tuple[EvalRecord, ...]:
    """The records of a JSONL file: `{"prompt": text, "scores": {model: 0..1}}` a line, blank lines skipped.

    Every line must score the same models. `"synthetic": true` marks a score that nobody measured.
    Misconfigured names the first bad lines, all at once, when there are any.
    """
    records: list[EvalRecord] = []
    problems: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = _record(line)
            if records and _models(record) != _models(records[0]):
                raise ValueError(f"scores {_named(record)}, but earlier lines score {_named(records[0])}")
            records.append(record)
        except ValueError as cause:
            problems.append(f"line {number}: {cause}")
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        hint = f"each line must be {SHAPE}"
        raise Misconfigured(str(path), "; ".join(problems[:SHOWN]) + more, hint=hint)
    if not records:
        raise Misconfigured(str(path), "there are no evaluated prompts in it", hint=f"each line is {SHAPE}")
    return tuple(records)


def shipped_evals() -> tuple[EvalRecord, ...]:
    """The synthetic evals that ship with the package, for models `small`, `medium` and `large`."""
    return load_evals(Path(str(files("bouted.catalog") / "data" / "demo-evals.jsonl")))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as cause:
        raise Misconfigured(str(path), "no such file", hint="set `evals` to a JSONL file") from cause
    except (OSError, UnicodeDecodeError) as cause:
        raise Misconfigured(str(path), f"cannot be read: {cause}", hint="it must be UTF-8 JSONL") from cause


def _record(line: str) -> EvalRecord:
    try:
        body = json.loads(line)
    except json.JSONDecodeError as cause:
        raise ValueError(f"not JSON ({cause.msg} at column {cause.colno})") from cause
    if not isinstance(body, dict):
        raise ValueError("not an object")
    if unknown := sorted(set(body) - KEYS):
        raise ValueError(f"unknown key {unknown[0]!r}")
    prompt, scores, synthetic = body.get("prompt"), body.get("scores"), body.get("synthetic", False)
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("`prompt` must be text")
    if not isinstance(scores, dict) or not scores:
        raise ValueError("`scores` must give each model's score")
    if not isinstance(synthetic, bool):
        raise ValueError("`synthetic` must be true or false")
    pairs = tuple((model, _score(model, value)) for model, value in sorted(scores.items()))
    return EvalRecord(prompt=prompt, scores=pairs, synthetic=synthetic)


def _score(model: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"score of {model!r} must be a number, got {json.dumps(value)}")
    if not 0 <= value <= 1:
        raise ValueError(f"score of {model!r} must be between 0 and 1, got {value}")
    return float(value)


def _models(record: EvalRecord) -> tuple[str, ...]:
    return tuple(model for model, _ in record.scores)


def _named(record: EvalRecord) -> str:
    return ", ".join(_models(record))
