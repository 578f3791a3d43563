"""How a node that SkyPilot rented ends itself."""

BACKEND = "cloudvmray"
"""CloudVmRayBackend.NAME: the skylet takes no node down whose setting names another one."""

_SET = f"""
from sky.skylet.autostop_lib import AutostopWaitFor, set_autostop
set_autostop(0, {BACKEND!r}, AutostopWaitFor.NONE, True)
"""
_RUN = """
base="${SKY_RUNTIME_DIR:-$HOME}"
python="$(cat "$base/.sky/python_path" 2>/dev/null)"
test -x "$python" || python="$base/skypilot-runtime/bin/python"
cd "$HOME" && exec env -u PYTHONPATH "$python" -c "$0"
"""


def sky_end_command() -> tuple[str, ...]:
    """The command that, run on the node, makes the skylet take it down at its next tick (60 s).

    It sets autostop to zero idle minutes, waiting for nothing, and down instead of stop. A setting counts
    only while the clock puts the machine's boot where it did then, so repeat it until the node is gone.
    """
    return ("/bin/sh", "-c", _RUN, _SET)
