"""The secret between the daemon and one node's keeper."""

import hashlib
import hmac
import os
from pathlib import Path

TOKEN = "BOUTED_NODE_TOKEN"
"""Where a keeper finds it in its environment."""


def node_token(key_file: Path, name: str) -> str:
    """A node's token: made from a key that stays in the state folder."""
    try:
        key = key_file.read_bytes()
    except FileNotFoundError:
        key = _new_key(key_file)
    return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()


def _new_key(key_file: Path) -> bytes:
    """A key written once: of two that try at the same time, one wins and both read it."""
    key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = key_file.with_name(f".{key_file.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(os.urandom(32))
        out.flush()
        os.fsync(fd)
    try:
        os.link(draft, key_file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return key_file.read_bytes()
