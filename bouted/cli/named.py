"""Which replica or node a person means by part of a name. Pure."""

from collections.abc import Sequence

from bouted.config.problems import did_you_mean
from bouted.errors import Misconfigured
from bouted.store.read_names import Named

_MOST = 4


def replica_meant(word: str, known: Sequence[Named], deployment: str) -> Named:
    """The one replica that is called so, or begins or ends so, or is the only one on the node called so;
    those that live come first. Misconfigured, with the nearest names, when there is not exactly one."""
    replicas = [named for named in known if not named.is_node]
    nodes = {named.name for named in known if named.is_node}
    live = [named for named in replicas if named.live]
    for group in (live, replicas):
        if word in nodes and (there := [named for named in group if named.node == word]):
            return _only(word, there, replicas, "replica")
    return _only(word, _meant(word, replicas, deployment), replicas, "replica")


def node_meant(word: str, known: Sequence[Named], deployment: str) -> Named:
    """The one node that is called so, or begins or ends so, or has the replica that is."""
    meant = _meant(word, known, deployment)
    nodes = {named.name: named for named in known if named.is_node}
    there = {named.node: nodes[named.node] for named in meant if named.node in nodes}
    return _only(word, list(there.values()), known, "node or replica")


def _meant(word: str, known: Sequence[Named], deployment: str) -> list[Named]:
    """What is called exactly so; else what lives and begins or ends so; else what ended."""
    exact = [named for named in known if named.name == word]
    if exact:
        return exact
    mark = f"bt-{deployment}-"
    some = [
        named
        for named in known
        if named.name.startswith(word)
        or named.name.endswith(word)
        or named.name.removeprefix(mark).startswith(word)
    ]
    return [named for named in some if named.live] or some


def _only(word: str, meant: Sequence[Named], known: Sequence[Named], what: str) -> Named:
    if len(meant) == 1:
        return meant[0]
    names = [named.name for named in meant]
    if names:
        raise Misconfigured("", f"{word!r} may be {_list(names)}", hint="give more of the name")
    near = did_you_mean(word, tuple(named.name for named in known))
    live = [named.name for named in known if named.live]
    hint = near or (f"there are {_list(live)}" if live else "see: bouted status")
    raise Misconfigured("", f"there is no {what} called {word!r}", hint=hint)


def _list(names: Sequence[str]) -> str:
    if len(names) > _MOST:
        return f"{', '.join(names[:_MOST])} or one of {len(names) - _MOST} more"
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
