"""Looks at what runs, and writes every move that the evidence supports."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bouted.clock import Clock
from bouted.reconcile.actions import Limits
from bouted.reconcile.launcher import Launcher, Seen
from bouted.reconcile.observe import Health, Observation, observe
from bouted.store.fleet import load_fleet, move_node, move_replica
from bouted.store.open import Store
from bouted.threads import InThread


class Prober(Protocol):
    """Asks engines how they are; `metrics` is what each last said on /metrics, by replica."""

    metrics: dict[str, str]

    async def probe(self, seen: Seen) -> tuple[Health, ...]:
        """One answer per engine that has an endpoint."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen, and what followed from it."""

    seen: Seen
    health: tuple[Health, ...]
    observation: Observation


@dataclass(slots=True, kw_only=True)
class Sight:
    """The eyes of the reconciler."""

    store: Store
    launcher: Launcher
    prober: Prober
    clock: Clock
    limits: Callable[[], Limits]
    in_thread: InThread = asyncio.to_thread

    async def look(self) -> Look:
        """Ask the launcher and the engines, and write what moved."""
        seen = await self.in_thread(self.launcher.seen)
        health = await self.prober.probe(seen)
        return Look(seen=seen, health=health, observation=self._write(seen, health))

    def _write(self, seen: Seen, health: tuple[Health, ...]) -> Observation:
        now = self.clock.now()
        observation = observe(load_fleet(self.store, now), seen, health, self.limits(), now)
        for node in observation.nodes:
            move_node(
                self.store,
                node.name,
                node.status,
                node.reason,
                now,
                launched_at=node.launched_at,
                note=node.note,
            )
        for move in observation.replicas:
            move_replica(
                self.store,
                move.name,
                move.status,
                move.reason,
                now,
                endpoint=move.endpoint,
                note=move.note,
            )
        return observation
