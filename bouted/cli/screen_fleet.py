"""The fleet on the status screen: each node with its replicas below it. Pure."""

from collections.abc import Sequence
from datetime import datetime

from bouted.board import BoardNode, BoardReplica, age_s
from bouted.cli.columns import columns, cut, paragraph
from bouted.cli.units import age, usd

_HEAD = ("NODE / REPLICA", "STATUS", "FOR", "$/H", "WHAT", "WHERE")
_EXPECTED = frozenset({"", "plan", "observed"})  # reasons that say nothing a person needs


def fleet_table(nodes: Sequence[BoardNode], replicas: Sequence[BoardReplica], now: datetime) -> list[str]:
    """One line per node and per replica, and a line of its own for what is wrong with either."""
    if not nodes and not replicas:
        return ["no nodes"]
    rows: list[tuple[str, ...]] = [_HEAD]
    remarks: list[str] = [""]
    for node in nodes:
        rows.append(_node(node, now))
        remarks.append(_remark(node.reason, node.note))
        for replica in replicas:
            if replica.node == node.name:
                rows.append(_replica(replica, now))
                remarks.append(_remark(replica.reason, replica.progress))
    lines: list[str] = []
    for line, remark in zip(columns(rows, right=frozenset({2, 3})), remarks, strict=True):
        lines.append(cut(line))
        lines += paragraph("     ", remark) if remark else []
    return lines


def _node(node: BoardNode, now: datetime) -> tuple[str, ...]:
    what = f"{node.gpu_count}x {node.gpu} {node.market.replace('_', '-')}"
    where = f"{node.where} {node.instance_type}"
    return (node.name, node.status, age(age_s(node.since, now)), usd(node.usd_per_hour), what, where)


def _replica(replica: BoardReplica, now: datetime) -> tuple[str, ...]:
    name = "  " + replica.name.removeprefix(f"{replica.node}-")
    pid = f" pid {replica.pid}" if replica.pid else ""
    where = f"{replica.endpoint.removeprefix('http://')}{pid}".strip()
    return (
        name,
        replica.status,
        age(age_s(replica.since, now)),
        "",
        f"{replica.model} {replica.shape}",
        where,
    )


def _remark(reason: str, note: str) -> str:
    said = "" if reason in _EXPECTED else reason.replace("_", " ")
    return ": ".join(part for part in (said, note) if part)
