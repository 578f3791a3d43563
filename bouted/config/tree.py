"""YAML text to plain values, strictly: no duplicate keys, anchors or tags, numbers exact, lines remembered.

Only `true` and `false` are booleans and only decimal digits are numbers (YAML 1.2's core rules), so that a
deployment named `no` or a region named `1e` stays what was written.
"""

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from re import compile as pattern
from typing import Any

import yaml

from bouted.config.problems import Problem

Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_UNSTORABLE = pattern(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A parsed file: mappings are dicts, lists are tuples, fractions are Decimals. `lines` start at 1."""

    value: Any
    lines: dict[Path, int]
    problems: tuple[Problem, ...]

    def line_of(self, path: Path) -> int | None:
        """The line of `path`, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with YAML 1.2's scalars."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own class attribute)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed here", problem_mark=mark)
        return super().compose_node(parent, index)


_Loader.add_implicit_resolver(_TAG + "bool", pattern(r"(true|True|TRUE|false|False|FALSE)$"), [*"tTfF"])
_Loader.add_implicit_resolver(_TAG + "null", pattern(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_TAG + "int", pattern(r"[-+]?[0-9]+$"), [*"-+0123456789"])
_Loader.add_implicit_resolver(
    _TAG + "float",
    pattern(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    [*"-+.0123456789"],
)


@dataclass(slots=True)
class _Walk:
    """Collects while the nodes are walked."""

    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, path: Path, node: yaml.Node, message: str, hint: str = "") -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(path=dotted(path), message=message, hint=hint, line=line))

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return tuple(self.value(item, (*path, at)) for at, item in enumerate(node.value))
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        self.refuse(path, node, f"tag {node.tag} is not allowed here")
        return None

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value or _UNSTORABLE.search(key.value):
                self.refuse(path, key, "a key must be a word")
            elif key.value in found:
                first = self.lines[(*path, key.value)]
                self.refuse((*path, key.value), key, f"duplicate key, first on line {first}", "keep one")
            else:
                self.lines[(*path, key.value)] = key.start_mark.line + 1
                found[key.value] = self.value(item, (*path, key.value))
        return found

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if _UNSTORABLE.search(text):
            self.refuse(path, node, "holds a control character")
            return None
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return _number(text)
            case "str":
                return text
        self.refuse(path, node, f"tag {node.tag} is not allowed here")
        return None


def _number(text: str) -> int | Decimal | str:
    """The exact number; the text itself where Python cannot hold it, so that the schema refuses it."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if text.lstrip("+-").isdigit():
        return int(value) if len(text) < 100 else text
    return value


def dotted(path: Path) -> str:
    """`("models", 0, "spec")` as `models[0].spec`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_tree(text: str) -> Tree:
    """The values in `text`; what is wrong with it as YAML is in `problems`, and then `value` may be None."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        hint = "indent with spaces, not tabs" if "\\t" in (error.problem or "") else ""
        return _broken(f"not valid YAML: {error.problem}", hint, line)
    except yaml.reader.ReaderError as error:
        return _broken(f"not valid YAML: {error.reason}", "", text[: error.position].count("\n") + 1)
    except RecursionError:
        return _broken("not valid YAML: nested too deeply", "", None)
    except (ValueError, OverflowError) as error:  # PyYAML lets bad escapes and directives escape as these
        return _broken(f"not valid YAML: {error}", "", None)
    if node is None:
        return _broken("the file is empty", "start from systemd/bouted.yaml.example", None)
    walk = _Walk()
    value = walk.value(node, ())
    if not isinstance(value, dict) and not walk.problems:
        return _broken("the file must hold keys, like `version: 1`", "", 1)
    return Tree(value=value, lines=walk.lines, problems=tuple(walk.problems))


def _broken(message: str, hint: str, line: int | None) -> Tree:
    problem = Problem(path="", message=message, hint=hint, line=line)
    return Tree(value=None, lines={}, problems=(problem,))
