"""Whose store this is: one deployment's. Under another name the fleet in it would be nobody's."""

from datetime import datetime

from sqlalchemy import select

from bouted.board import board_from_json
from bouted.errors import Misconfigured
from bouted.reconcile.names import deployment_of
from bouted.store.fleet import load_fleet
from bouted.store.lease import DAEMON_LEASE, lease_holder, lease_now
from bouted.store.session import Store
from bouted.store.tables import BoardRow

_HINT = (
    "another deployment takes a database of its own; to rename one, end it under its old name: bouted down"
)


def require_own(store: Store, deployment: str, now: datetime) -> None:
    """Misconfigured where nodes of a deployment of another name live in this store, or its daemon is active.

    A daemon that went on with them would renew no lease of theirs, and two deployments on one server would
    take turns as each other's standby.
    """
    live = (node for node in load_fleet(store, now).nodes if node.live)
    others = [name for node in live if (name := deployment_of(node.name)) not in ("", deployment)]
    if others:
        nodes = "a node" if len(others) == 1 else f"{len(others)} nodes"
        said = f"this database holds {nodes} of deployment {others[0]}"
        raise Misconfigured("deployment", f"{said}, not of {deployment}", hint=_HINT)
    active = lease_holder(store, DAEMON_LEASE, lease_now(store, now))
    owner = _published_by(store) if active is not None else ""
    if owner not in ("", deployment):
        said = f"the daemon of deployment {owner} is active on this database"
        raise Misconfigured("deployment", f"{said}, not one of {deployment}", hint=_HINT)


def _published_by(store: Store) -> str:
    """The deployment on the status board; "" for none, or a board that cannot be read."""
    with store.reading() as session:
        text = session.scalar(select(BoardRow.body).where(BoardRow.id == 1))
    try:
        return board_from_json(text).deployment if text is not None else ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
