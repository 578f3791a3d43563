"""A provider's API key, from a file or from its usual environment variable: never from the config itself."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bouted.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Where the key is. It is read anew each time, so that a rotated key is found."""

    variable: str
    file: Path | None = None

    def told(self) -> str:
        """Which one is used, for people: a path or a variable, never the key; "" when there is none."""
        if self.file is not None:
            return str(self.file)
        return self.variable if os.environ.get(self.variable, "").strip() else ""

    def read(self) -> str:
        """The key; "" when there is none. Misconfigured when a file is named that holds no key."""
        if self.file is None:
            return self._sound(os.environ.get(self.variable, ""), self.variable)
        try:
            text = self.file.read_text(encoding="ascii")
        except OSError as error:
            raise Misconfigured(str(self.file), error.strerror or "cannot be read") from error
        except UnicodeDecodeError as error:
            raise Misconfigured(str(self.file), "holds no API key", hint="one line, nothing else") from error
        if not text.strip():
            raise Misconfigured(str(self.file), "is empty", hint="put the API key in it")
        return self._sound(text, str(self.file))

    def bearer(self) -> Mapping[str, str]:
        """The header that carries the key; nothing when there is none."""
        key = self.read()
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _sound(self, text: str, place: str) -> str:
        key = text.strip()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise Misconfigured(place, "holds no API key", hint="one line, nothing else")
        return key
