"""The secret between the daemon and one node's keeper."""

import hashlib
import hmac
import os
from pathlib import Path

from .local_files import write_once

TOKEN = "BOUTED_NODE_TOKEN"
"""Where a keeper finds it in its environment."""


def node_token(key_file: Path, name: str) -> str:
    """A node's token: made from a key that stays in the state folder."""
    try:
        key = key_file.read_bytes()
    except FileNotFoundError:
        key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = write_once(key_file, os.urandom(32))
    return hmac.new(key, name.encode(), hashlib.sha256).hexdigest()
