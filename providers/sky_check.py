"""What `sky check` writes: which clouds let SkyPilot in, and why the others do not. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_HEAD = re.compile(r"  (?P<cloud>\w+): (?P<state>enabled|disabled)(?: \[(?P<what>[\w, ]*)\])?")
_REASON = re.compile(r"    Reason \[(?P<what>[\w, ]+)\]: (?P<said>.*)")
_COMMAND = re.compile(r"\s+\$ (?P<command>.+)")
_LEAD_IN = re.compile(r"[,.:]? *(Run the following|To configure|Credentials can be|Install|To install)\b.*")
_NO_SDK = re.compile(r"not installed|[Ff]ailed to import|No module named")
_MOST = 160
_COMPUTE, _SUMMARY = "compute", "Enabled infra"

# What each cloud takes besides its SDK; elsewhere the first command that SkyPilot names.
_CREDENTIALS = {
    "aws": "aws configure (or give this machine a role)",
    "gcp": "gcloud auth application-default login, and gcloud config set project PROJECT",
    "azure": "az login, and az account set -s SUBSCRIPTION",
    "lambda": "put `api_key = KEY` into ~/.lambda_cloud/lambda_keys",
    "runpod": "put `[default]` and `api_key = \"KEY\"` into ~/.runpod/config.toml",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudCheck:
    """One cloud, by its lower-case name: whether machines can be rented there, what SkyPilot says where not,
    and the fix."""

    cloud: str
    enabled: bool
    said: str = ""
    fix: str = ""


def clouds_in(log: str) -> tuple[CloudCheck, ...]:
    """Every cloud that the log of a `sky check` tells of."""
    lines = _COLOUR.sub("", log).partition(_SUMMARY)[0].splitlines()
    heads = [(at, begins) for at, line in enumerate(lines) if (begins := _HEAD.match(line)) is not None]
    bounds = pairwise([*(at for at, _ in heads), len(lines)])
    return tuple(
        _cloud(head, lines[at + 1 : end]) for (_, head), (at, end) in zip(heads, bounds, strict=True)
    )


def _cloud(head: "re.Match[str]", block: Sequence[str]) -> CloudCheck:
    cloud = head["cloud"].lower()
    if head["state"] == "enabled" and _COMPUTE in (head["what"] or ""):
        return CloudCheck(cloud=cloud, enabled=True)
    reason = _reason(block)
    return CloudCheck(cloud=cloud, enabled=False, said=_said(reason), fix=_fix(cloud, reason))


def _reason(block: Sequence[str]) -> list[str]:
    """The lines that say why nothing can be rented there."""
    lines: list[str] = []
    wanted = False
    for line in block:
        begins = _REASON.match(line)
        if begins is not None:
            wanted = _COMPUTE in begins["what"]
        if wanted:
            lines.append(begins["said"] if begins is not None else line)
    return lines


def _said(reason: Sequence[str]) -> str:
    """The first line; of a traceback the last."""
    lines = [line.strip() for line in reason if line.strip()]
    if not lines:
        return "SkyPilot does not say why"
    line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    line = (_LEAD_IN.sub("", line) or line).rstrip(" .:")
    return line if len(line) <= _MOST else f"{line[: _MOST - 3]}..."


def _fix(cloud: str, reason: Sequence[str]) -> str:
    if cloud in _CREDENTIALS and any(_NO_SDK.search(line) for line in reason):
        return f"pip install 'bouted[{cloud}]', then: {_CREDENTIALS[cloud]}"
    commands = [found["command"].strip() for line in reason if (found := _COMMAND.fullmatch(line))]
    return _CREDENTIALS.get(cloud) or next(iter(commands), "")
