"""A real daemon, killed with -9 at a step of what it journals: the next one brings about the same fleet."""

from pathlib import Path

import pytest
from crash_real_deaths import deaths, whole_life

# A forked child runs on with the modules that are loaded, which is what makes many deaths cheap.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

LEAST_STEPS = 60
EVERY = 9  # the bench kills at all of them


@pytest.mark.timeout(400)
def test_a_daemon_killed_at_any_step_leaves_a_fleet_that_the_next_one_completes(tmp_path: Path) -> None:
    steps = whole_life(tmp_path)
    assert len(steps) >= LEAST_STEPS
    assert {"before launch", "after launch", "before start_replica", "after stop_node", "COMMIT"} <= {*steps}
    killed = [death for death in deaths(tmp_path, range(1, len(steps) + 1, EVERY)) if death.rescuer]
    assert len(killed) > LEAST_STEPS // EVERY // 2
    assert {f"{death.die_at}, {death.steps[-1]}": death.wrong for death in killed if death.wrong} == {}
