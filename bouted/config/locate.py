"""Finds a deployment's config, state folder and store without reading the whole config.

Standard library only (and PyYAML where there is a file), so that `bouted status` answers at once, and so
that it answers while the config is broken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from re import MULTILINE
from re import compile as pattern
from typing import Any

from bouted.errors import Misconfigured
from bouted.store.urls import sqlite_url

SYSTEM_CONFIG = Path("/etc/bouted/bouted.yaml")
SYSTEM_STATE = Path("/var/lib/bouted")

_STATE_LINE = pattern(
    r"^state_dir:[ \t]*(?P<q>['\"]?)(?P<value>[^\s'\"#][^'\"#\n]*?)(?P=q)[ \t]*(#.*)?$", MULTILINE
)
_DATABASE_LINES = pattern(
    r"^database:[ \t]*(\{|(#.*)?\n([ \t]+#.*\n)*)[^\n]*?"
    r"\b(?P<key>url|url_file):[ \t]*['\"]?(?P<value>[^\s,}'\"]+)",
    MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """`config_path` is None where there is no config file; the state folder need not exist yet."""

    config_path: Path | None
    state_dir: Path
    database_url: str


def locate(
    config_path: Path | str | None, state_dir: Path | str | None, environ: Mapping[str, str]
) -> Located:
    """Where the deployment's things are.

    Config: `config_path`, else BOUTED_CONFIG, else /etc/bouted/bouted.yaml, else the user's
    (XDG) bouted/bouted.yaml. State: `state_dir`, else BOUTED_STATE, else the config's `state_dir`, else the
    default. Store: the config's `database`, else SQLite in the state folder; a state folder given without
    naming a config is taken to hold the store. Misconfigured when a named config or its url_file is missing.
    """
    config, named = _config_path(config_path, environ)
    given = state_dir or environ.get("BOUTED_STATE") or None
    if given and not named:
        state = _absolute(str(given), Path.cwd(), environ)
        return Located(config_path=config, state_dir=state, database_url=database_url(state, None, None))
    keys = _keys(config) if config else {}
    folder = config.parent if config else Path.cwd()
    if given:
        state = _absolute(str(given), Path.cwd(), environ)
    elif keys.get("state_dir"):
        state = _absolute(str(keys["state_dir"]), folder, environ)
    else:
        state = default_state_dir(config, environ)
    url, url_file = keys.get("url"), keys.get("url_file")
    secret = str(_absolute(url_file, folder, environ)) if url_file else None
    return Located(config_path=config, state_dir=state, database_url=database_url(state, url, secret))


def database_url(state_dir: Path, url: str | None, url_file: str | None) -> str:
    """`url`, else what `url_file` holds, else SQLite in the state folder."""
    if url:
        return url
    if url_file:
        return read_secret(Path(url_file), "database.url_file")
    return sqlite_url(state_dir)


def read_secret(path: Path, key: str) -> str:
    """The one line a secret's file holds; Misconfigured naming `key` when it cannot be read or is empty."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Misconfigured(
            key, f"cannot read {path}: {why}", hint="check the path and who may read it"
        ) from error
    if not text:
        raise Misconfigured(key, f"{path} is empty", hint="it must hold the secret on one line")
    return text


def default_state_dir(config_path: Path | None, environ: Mapping[str, str]) -> Path:
    """/var/lib/bouted for the system's config, the user's state folder (XDG) for any other."""
    if config_path is not None and config_path.is_relative_to(SYSTEM_CONFIG.parent):
        return SYSTEM_STATE
    return _xdg(environ, "XDG_STATE_HOME", ".local/state") / "bouted"


def _config_path(given: Path | str | None, environ: Mapping[str, str]) -> tuple[Path | None, bool]:
    """The config file, and whether somebody named it."""
    wanted = given or environ.get("BOUTED_CONFIG") or None
    if wanted:
        path = _absolute(str(wanted), Path.cwd(), environ)
        if not path.is_file():
            raise Misconfigured(
                str(path), "there is no such config file", hint="see --config and BOUTED_CONFIG"
            )
        return path, True
    for path in (SYSTEM_CONFIG, _xdg(environ, "XDG_CONFIG_HOME", ".config") / "bouted" / "bouted.yaml"):
        if path.is_file():
            return path, False
    return None, False


def _keys(config: Path) -> dict[str, str]:
    """`state_dir`, `url` and `url_file` as the file has them; by line where it is not valid YAML."""
    import yaml

    try:
        text = config.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Misconfigured(
            str(config), f"cannot be read: {error.strerror}", hint="check who may read it"
        ) from error
    try:
        tree: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return _keys_by_line(text)
    tree = tree if isinstance(tree, dict) else {}
    database = tree.get("database")
    found = {"state_dir": tree.get("state_dir"), **(database if isinstance(database, dict) else {})}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _keys_by_line(text: str) -> dict[str, str]:
    state, database = _STATE_LINE.search(text), _DATABASE_LINES.search(text)
    found = {"state_dir": state["value"]} if state else {}
    if database and database["value"] not in ("null", "~"):
        found[database["key"]] = database["value"]
    return found


def _absolute(text: str, folder: Path, environ: Mapping[str, str]) -> Path:
    if text.startswith("~/"):
        return _home(environ) / text[2:]
    path = Path(text)
    return path if path.is_absolute() else (folder / path).absolute()


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or "/")


def _xdg(environ: Mapping[str, str], name: str, default: str) -> Path:
    given = Path(environ.get(name) or "")
    return given if given.is_absolute() else _home(environ) / default
