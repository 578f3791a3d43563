"""Judges what must come of faults once they are over, after each and not only when the day ends."""

from dataclasses import dataclass

from bouted.reconcile.states import NodeStatus
from bouted.testing.sim.settled import miscounted, not_as_planned
from bouted.testing.sim.world import World

CONVERGES_WITHIN_S = 3600.0
"""So many ticks of one second after the last fault, and after a new plan, the fleet is what the plan says.

The slowest way there is an upgrade: a yes to it (600 s, looked for every 180 s), then six nodes one after
the other, each with three minutes of trial. All else takes less: a launch that never comes up
(`launch_timeout_s`, 600 s), the longest back-off after it (300 s), a yes, the last drain. Of 72 days the
slowest took 1620 s.
"""
_WRITTEN_S = 60.0  # by then what a sweep found is in the store
_MOVING = (NodeStatus.PLANNED, NodeStatus.LAUNCHING, NodeStatus.STOPPING)


@dataclass(slots=True)
class Settling:
    """Looks again and again. `calm_s` is since when nothing goes wrong, `planned_s` when the fleet was last
    what the plan says, `counted_s` the beginning of the last calm in which the ledger was compared with the
    bill, `slowest_s` how long the fleet at most was something else in a calm."""

    world: World
    calm_s: float = 0.0
    planned_s: float = 0.0
    counted_s: float = -1.0
    slowest_s: float = 0.0

    def look(self) -> None:
        """In a calm the fleet is soon what the plan says, and the ledger what is billed after one sweep."""
        now_s = self.world.loop.time()
        self.calm_s = max(self.calm_s, self.world.faulted_s)
        if self.world.troubled():
            self.calm_s = now_s
            return
        self._converges(now_s)
        if self.counted_s < self.calm_s:
            self._counts(now_s)

    def end(self) -> None:
        """After hours of calm both hold, whatever was on its way."""
        self.world.rows = self.world.onlooker.rows()
        wrong = not_as_planned(self.world)
        if wrong:
            self._breaks_convergence(wrong)
        else:
            self._compare()

    def _converges(self, now_s: float) -> None:
        wrong = not_as_planned(self.world)
        if not wrong:
            self.planned_s = now_s
            return
        self.world.stirred.set()  # a real daemon looks every second: its long steps here are no excuse
        odd_s = now_s - max(self.calm_s, self.planned_s)
        self.slowest_s = max(self.slowest_s, odd_s)
        if odd_s > CONVERGES_WITHIN_S:
            self._breaks_convergence(f"{odd_s:.0f} s after the last fault {wrong}")

    def _counts(self, now_s: float) -> None:
        """As soon as a whole sweep lies behind, and nothing has come or gone since."""
        swept_s = self.world.cloud.swept_s
        lost = self.world.cloud.swept_with != self.world.rows.token
        if lost or swept_s < self.calm_s or now_s < swept_s + _WRITTEN_S or self._moves(swept_s):
            self.world.stirred.set()
            return
        self.counted_s = self.calm_s
        self._compare()

    def _moves(self, since_s: float) -> bool:
        """Whether a sweep then may have missed what came or went."""
        world = self.world
        rows, now, since = world.rows.nodes, world.loop.now(), world.loop.at(since_s)
        if any(row.status in _MOVING for row in rows.values()):
            return True
        if any(m.name not in rows or not rows[m.name].live for m in world.cloud.running()):
            return True
        return any(max(m.listed_at, m.end(now) or m.listed_at) > since for m in world.cloud.machines)

    def _compare(self) -> None:
        wrong = miscounted(self.world)
        if wrong:
            sentence = "one sweep after the faults the ledger equals the bill to the cent"
            self.world.violated("LedgerEqualsBill", sentence, wrong)

    def _breaks_convergence(self, wrong: str) -> None:
        self.world.violated("Converges", "after the faults the fleet becomes what the plan says", wrong)
