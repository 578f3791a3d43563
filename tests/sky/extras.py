"""Resolves each cloud's extra alone, with the torch that bouted pins, and installs nothing.

Run: .venv/bin/python tests/sky/extras.py [EXTRA ...]. Takes about 20 s each, and the package index.
"""

import json
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def clouds() -> list[str]:
    """The extras that bring a cloud's SDK for SkyPilot."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    return [name for name, needs in extras.items() if any(need.startswith("skypilot[") for need in needs)]


def resolved(extra: str) -> dict[str, str]:
    """The version of every package that `bouted[extra]` would install into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        asked = ["install", "--quiet", "--dry-run", "--ignore-installed", "--report", str(report)]
        command = [sys.executable, "-m", "pip", *asked, f"{ROOT}[{extra}]"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise SystemExit(f"{extra}: does not resolve\n{ran.stderr}")
        said: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return {one["metadata"]["name"].lower(): one["metadata"]["version"] for one in said["install"]}


def main() -> None:
    """A line per extra."""
    for extra in sys.argv[1:] or clouds():
        began = time.monotonic()
        found = resolved(extra)
        took_s = round(time.monotonic() - began)
        shown = f"skypilot {found['skypilot']}, torch {found['torch']}"
        print(f"{extra}: {len(found)} packages, {shown}, {took_s} s", flush=True)


if __name__ == "__main__":
    main()
