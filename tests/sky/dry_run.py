"""Has SkyPilot check a cloud and go through launches dry; run beside a HOME with small catalogs.

Reads the cloud's name and a list of tasks from stdin, and writes whether SkyPilot has the cloud enabled and,
for each task, where it would start it and on how many of which GPU, or the error that it gives.
"""

import json
import sys
from typing import Any

import sky
from sky import backends, check, execution


class Noting(backends.CloudVmRayBackend):
    """SkyPilot's own backend, which tells what it is to provision."""

    chosen: Any = None

    def provision(self, task: Any, to_provision: Any, *args: Any, **named: Any) -> Any:
        self.chosen = to_provision
        return super().provision(task, to_provision, *args, **named)


def gone_through(config: dict[str, Any]) -> dict[str, Any]:
    """The launch of a task with all that comes before something is rented or made."""
    task, backend = sky.Task.from_yaml_config(config), Noting()  # type: ignore[no-untyped-call]
    try:
        execution.launch(task, cluster_name=task.name, dryrun=True, backend=backend)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"infra": backend.chosen.infra.to_str(), "gpus": backend.chosen.accelerators}


asked = json.load(sys.stdin)
enabled = check.check(quiet=True, clouds=[asked["cloud"]])
told = {"enabled": enabled, "tasks": [gone_through(config) for config in asked["tasks"]]}
print()
print(json.dumps(told))
