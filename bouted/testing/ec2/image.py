"""The machine image: a home of user `ubuntu` with what SkyPilot would otherwise fetch onto each instance.

SkyPilot's own images hold the same: uv, an environment with Ray, and one for the user's commands.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bouted.testing.ec2.needs import SHELL_PATH, NoStandInCloud, interpreter, user_id

# What sky/skylet/constants.py of SkyPilot 0.14.1 installs on an instance that lacks it.
_RUNTIME = ("setuptools<70", "ray[default]==2.9.3", "pydantic-core==2.41.1", "click<8.3.0")
_UV = "uv==0.9.5"
_HERE = "/home/ubuntu"  # environments carry absolute paths, so they are made where they will lie

# $1: the home to fill; $2: uv; $3: Python; $4: owner; $5: SkyPilot, of which only its dependencies stay.
_BAKE = f"""
set -eu
home=$1; uv=$2; python=$3; owner=$4; skypilot=$5; shift 5
mount --make-rprivate /
mkdir -p /home; mount -t tmpfs homes /home; mkdir {_HERE}; mount --bind "$home" {_HERE}
cd {_HERE}; export HOME={_HERE} UV_CACHE_DIR={_HERE}/cache UV_PYTHON_DOWNLOADS=never
mkdir -p .local/bin; cp "$uv" .local/bin/uv
uv=.local/bin/uv
$uv venv --quiet --seed skypilot-runtime --python "$python"
VIRTUAL_ENV={_HERE}/skypilot-runtime $uv pip install --quiet --compile-bytecode "$@" "$skypilot"
VIRTUAL_ENV={_HERE}/skypilot-runtime $uv pip uninstall --quiet skypilot
$uv venv --quiet --seed --relocatable --system-site-packages --python "$python" sky-user-env
rm -rf cache # of links to what was installed from it
chown -R "$owner" .
"""


def bake(folder: Path) -> Path:
    """The home that every machine starts with; made in `folder` unless it is there and up to date.

    Takes a minute and the package index the first time. NoStandInCloud when that fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    home, marker, wanted = folder / "home", folder / "made-of.json", _made_of()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or json.loads(marker.read_text()) != wanted:
            marker.unlink(missing_ok=True)
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            _bake(folder, home)
            marker.write_text(json.dumps(wanted))
    return home


def _made_of() -> dict[str, object]:
    return {
        "runtime": list(_RUNTIME),
        "uv": _UV,
        "skypilot": version("skypilot"),
        "python": str(interpreter()),
        "uid": user_id(),
        "script": _BAKE,
    }


def _bake(folder: Path, home: Path) -> None:
    tools, owner = folder / "uv", user_id()
    skypilot = f"skypilot[aws,remote]=={version('skypilot')}"
    _run(sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(tools), _UV)
    told = [str(home), str(tools / "bin" / "uv"), str(interpreter()), f"{owner}:{owner}", skypilot, *_RUNTIME]
    _run("unshare", "-m", "sh", "-c", _BAKE, "bake", *told)
    shutil.rmtree(tools)


def _run(*argv: str) -> None:
    path = f"{os.environ.get('PATH', '')}:{SHELL_PATH}"
    done = subprocess.run(argv, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    if done.returncode:
        said = " ".join(done.stderr.split())[-400:]
        raise NoStandInCloud(f"the machine image cannot be made: {said}")
