"""The flags of SGLang's server, read from its wheel without importing it: names, types and choices."""

import ast
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_FIELDS = "sglang/srt/arg_groups/fields/"
_CHOICES = "sglang/srt/arg_groups/choices.py"
_SERVER = "sglang/srt/server_args.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One flag. `kind` is its type without Optional; `choices` None: not bounded, or not told here."""

    kind: str
    choices: tuple[str, ...] | None


def read_fields(wheel: Path) -> dict[str, Field]:
    """Every flag by each of its names, those of `server_args.py`'s fields as it collects them."""
    with zipfile.ZipFile(wheel) as packed:
        server = packed.read(_SERVER).decode()
        assert "add_cli_args_from_dataclass(parser, ServerArgs)" in server
        named = _lists(ast.parse(packed.read(_CHOICES)))
        names = [name for name in packed.namelist() if name.startswith(_FIELDS) and name.endswith(".py")]
        found: dict[str, Field] = {}
        for name in names:
            for node in ast.walk(ast.parse(packed.read(name))):
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    found.update(_field(node.target.id, node.annotation, named))
    return found


def _field(name: str, annotation: ast.expr, named: dict[str, tuple[str, ...]]) -> dict[str, Field]:
    """The flag of one `name: A[type, help or Arg(...)]`; nothing for what has no flag."""
    if not isinstance(annotation, ast.Subscript) or ast.unparse(annotation.value) != "A":
        return {}
    assert isinstance(annotation.slice, ast.Tuple)
    kind, *said = annotation.slice.elts
    calls = [call for call in said if isinstance(call, ast.Call)]
    told = {word.arg: word.value for call in calls for word in call.keywords if word.arg}
    if "no_cli" in told:
        return {}
    aliases = _texts(told.get("aliases"), named) or ()
    field = Field(
        kind=ast.unparse(kind).removeprefix("Optional[").removesuffix("]"),
        choices=_texts(told.get("choices"), named) or _literal(kind),
    )
    return dict.fromkeys((f"--{name.replace('_', '-')}", *aliases), field)


def _texts(value: ast.expr | None, named: dict[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """A list of texts, written there or named."""
    if isinstance(value, ast.List):
        return _constants(value.elts)
    return named.get(ast.unparse(value)) if value is not None else None


def _literal(kind: ast.expr) -> tuple[str, ...] | None:
    for node in ast.walk(kind):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
            return _constants(ast.walk(node.slice))
    return None


def _constants(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    return tuple(str(node.value) for node in nodes if isinstance(node, ast.Constant))


def _lists(module: ast.Module) -> dict[str, tuple[str, ...]]:
    """The lists of texts that a module names."""
    return {
        ast.unparse(node.targets[0]): _constants(node.value.elts)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)
    }
