"""Puts an engine onto a machine, and runs commands there as its venv would."""

from .engine_options import EngineOptions, SetUp
from .engine_start import Step

# One replica installs while others on the machine wait; what was cut off half-way begins anew.
_INSTALL = """set -eu
PATH="$PATH:$HOME/.local/bin"
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock"
flock 9
if test -e "$1/.complete"; then exit 0; fi
rm -rf "$1"
if command -v uv >/dev/null; then
  uv venv --quiet --python 3.12 "$1" || uv venv --quiet "$1"
  uv pip install --quiet --python "$1/bin/python" "$2"
else
  python3 -m venv "$1"
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2"
fi
touch "$1/.complete"
"""
_IN_VENV = 'PATH="$0/bin:$PATH"; export PATH; exec "$@"'
# What weights are in, their folder says: engines refuse to quantise what is quantised.
_FP8 = """if test -n "$0"; then PATH="$0/bin:$PATH"; export PATH; fi
weights="$1"
shift
if test -e "$weights/hf_quant_config.json"; then exec "$@"; fi
if grep -qsE "(quantization|compression)_config" "$weights/config.json"; then exec "$@"; fi
exec "$@" --quantization fp8
"""


def set_up_steps(options: EngineOptions) -> tuple[Step, ...]:
    """Install the engine's version, unless it is there; nothing where the image or a program has it."""
    if options.program or options.set_up is SetUp.IMAGE:
        return ()
    package = f"{options.engine}=={options.version}"
    return (Step(phase="installing", argv=("/bin/sh", "-c", _INSTALL, "install", options.venv, package)),)


def in_venv(options: EngineOptions, argv: tuple[str, ...]) -> tuple[str, ...]:
    """`argv`, with the venv's programs found before others: engines call their compilers by name."""
    return ("/bin/sh", "-c", _IN_VENV, options.venv, *argv) if options.venv else argv


def quantised_at_load(options: EngineOptions, weights: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """`argv` as `in_venv` has it, told to quantise to fp8 unless the folder `weights` holds such."""
    return ("/bin/sh", "-c", _FP8, options.venv, weights, *argv)
