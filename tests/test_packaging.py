"""What is on disk is what ships."""

import ast
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import EntryPoint, distribution, entry_points
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
OUTER = ("providers", "policies", "migrations")
TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "LICENSE",
    "Makefile",
    "README.md",
    "bouted",
    "docs",
    "migrations",
    "policies",
    "providers",
    "pyproject.toml",
    "systemd",
    "tests",
}


def _packages_on_disk() -> Iterator[str]:
    for folder in ("bouted", *OUTER):
        for init in (ROOT / folder).rglob("__init__.py"):
            dotted = ".".join(init.parent.relative_to(ROOT).parts)
            yield dotted if folder == "bouted" else f"bouted.{dotted}"


def _entry_points() -> list[EntryPoint]:
    project = PYPROJECT["project"]
    groups: dict[str, dict[str, str]] = {**project["entry-points"], "console_scripts": project["scripts"]}
    return [EntryPoint(name, value, group) for group in groups for name, value in groups[group].items()]


def _imports(path: Path) -> Iterator[str]:
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def test_the_packages_listed_are_the_packages_on_disk() -> None:
    assert sorted(PYPROJECT["tool"]["setuptools"]["packages"]) == sorted(_packages_on_disk())


def test_every_folder_that_holds_code_is_a_package() -> None:
    holding = {path.parent for folder in ("bouted", *OUTER) for path in (ROOT / folder).rglob("*.py")}
    assert [str(folder) for folder in sorted(holding) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("folder", ["providers", "policies"])
def test_providers_and_policies_are_flat(folder: str) -> None:
    inside = [path for path in (ROOT / folder).iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert inside == []


def test_the_top_level_holds_the_agreed_entries_and_nothing_else() -> None:
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line]
    present = {
        path.name
        for path in ROOT.iterdir()
        if path.name != ".git" and not any(fnmatch(path.name, pattern) for pattern in ignored)
    }
    assert present == TOP_LEVEL


def test_core_never_imports_providers_or_policies() -> None:
    outside = ("bouted.providers", "bouted.policies", "providers", "policies")
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / "bouted").rglob("*.py"))
        for name in _imports(path)
        if any(name == banned or name.startswith(f"{banned}.") for banned in outside)
    ]
    assert found == []


def test_nothing_imports_the_outer_folders_by_their_bare_names() -> None:
    """From the repository root that works, and gives a second copy of every class."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("bouted", "tests", *OUTER)
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(), str(path)))
        if (
            isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] in OUTER
        )
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] in OUTER for alias in node.names))
    ]
    assert found == []


@pytest.mark.parametrize("point", _entry_points(), ids=lambda point: f"{point.group}:{point.name}")
def test_an_entry_point_names_something_that_imports(point: EntryPoint) -> None:
    installed = entry_points(group=point.group, name=point.name)
    assert point.value in {found.value for found in installed}, "installed metadata is stale: run make setup"
    assert callable(point.load())


def test_the_installed_version_is_the_one_in_the_code() -> None:
    import bouted

    assert distribution("bouted").version == bouted.__version__
