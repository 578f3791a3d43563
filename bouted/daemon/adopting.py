"""Takes in endpoints that somebody else runs, and lets them go; works with the daemon dead or alive.

Only rows are written: the daemon's next pass routes to the endpoint, or no longer does.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from bouted.errors import Misconfigured
from bouted.events import Event, EventKind, Severity
from bouted.perf.shapes import Engine
from bouted.reconcile.adopted import is_adopted
from bouted.reconcile.adopting import Adoption, rows_of
from bouted.reconcile.fleet import Node
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.events import add_events
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node, move_replica
from bouted.store.open import Store

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What an endpoint says it is: the names it serves models under, and its engine."""

    models: tuple[str, ...]
    engine: Engine


def hear(base_url: str) -> Heard:
    """Ask an endpoint whether it is well and what it serves; Misconfigured, in one line, when it is not."""
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
        health = _get(client, f"{base_url}/health")
        if health.status_code != 200:
            raise Misconfigured(
                "", f"{base_url}/health answers {health.status_code}", hint="adopt it once it is ready"
            )
        models = _names(_get(client, f"{base_url}/v1/models"), base_url)
        metrics = _get(client, f"{base_url}/metrics").text
    return Heard(models=models, engine=Engine.SGLANG if "sglang:" in metrics else Engine.VLLM)


def served_model(model: str, said: str, heard: Heard, base_url: str) -> str:
    """What the endpoint calls the model, "" for our own name: as `said`, or as only one name can be meant."""
    wanted = said or (model if model in heard.models or len(heard.models) != 1 else heard.models[0])
    if wanted not in heard.models:
        names = ", ".join(heard.models) or "no model"
        raise Misconfigured("", f"{base_url} serves {names}, not {wanted}", hint="say which: --served NAME")
    return "" if wanted == model else wanted


def adopt(store: Store, adoption: Adoption, now: datetime) -> Node:
    """The node that the endpoint is from now on; Misconfigured when it is one already."""
    node, replica = rows_of(adoption, load_fleet(store, now), now)
    add_node(store, node)
    add_replica(store, replica)
    cost = f"${adoption.usd_per_hour:.2f}/h"
    _tell(store, EventKind.ADOPTED, node.name, f"{adoption.address.base_url} is adopted: {cost}", now)
    return node


def release(store: Store, name: str, now: datetime) -> None:
    """Forget an adopted endpoint, which goes on; Misconfigured when there is none of this name."""
    fleet = load_fleet(store, now)
    adopted = [node.name for node in fleet.nodes if node.live and is_adopted(node)]
    if name not in adopted:
        known = f"adopted: {', '.join(adopted)}" if adopted else "no endpoint is adopted"
        raise Misconfigured("", f"no adopted endpoint is called {name}", hint=known)
    for replica in fleet.replicas_on(name):
        if replica.live:
            move_replica(store, replica.name, ReplicaStatus.STOPPED, Reason.RELEASED, now)
    move_node(store, name, NodeStatus.STOPPING, Reason.RELEASED, now)
    move_node(store, name, NodeStatus.GONE, Reason.RELEASED, now)
    _tell(store, EventKind.RELEASED, name, f"{name} is let go; it goes on by itself", now)


def _get(client: httpx.Client, url: str) -> httpx.Response:
    try:
        return client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = str(error) or type(error).__name__
        raise Misconfigured(
            "", f"{url} does not answer: {why}", hint="is it the engine's address?"
        ) from error


def _names(answer: httpx.Response, base_url: str) -> tuple[str, ...]:
    try:
        listed: Any = answer.json()["data"]
        return tuple(str(model["id"]) for model in listed)
    except (ValueError, KeyError, TypeError) as error:
        hint = "only endpoints that speak OpenAI's API can be adopted"
        raise Misconfigured("", f"{base_url}/v1/models lists no models", hint=hint) from error


def _tell(store: Store, kind: EventKind, name: str, message: str, now: datetime) -> None:
    event = Event(at=now, kind=kind, severity=Severity.NOTICE, subject=name, message=message)
    add_events(store, (event,))
