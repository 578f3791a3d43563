"""The API keys of clouds, from the files in which SkyPilot looks for them: the account that launches is the
one that is asked."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bouted.errors import Misconfigured, NotConfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudKey:
    """One cloud's key, in `file`; `find` picks it out of the text, "" for none. It is read anew each time, so
    that a rotated key is found."""

    file: Path
    find: Callable[[str], str]

    def read(self) -> str:
        """The key. NotConfigured where there is no file, Misconfigured where it holds no key."""
        try:
            key = self.find(self.file.read_text(encoding="utf-8")).strip()
        except FileNotFoundError as error:
            raise NotConfigured(
                f"{self.file} is not there", hint="SkyPilot needs it, too: sky check"
            ) from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Misconfigured(str(self.file), f"cannot be read: {type(error).__name__}") from error
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise Misconfigured(str(self.file), "holds no API key", hint="sky check says how it must look")
        return key


def lambda_key(home: Path) -> CloudKey:
    """Lambda's, from lines like `api_key = KEY`."""
    return CloudKey(file=home / ".lambda_cloud" / "lambda_keys", find=_assigned)


def runpod_key(home: Path) -> CloudKey:
    """RunPod's, from the default profile of its own client's config."""
    return CloudKey(file=home / ".runpod" / "config.toml", find=_in_profile)


def vast_key(home: Path) -> CloudKey:
    """Vast's: its client keeps the key alone in a file."""
    return CloudKey(file=home / ".config" / "vastai" / "vast_api_key", find=str)


def _assigned(text: str) -> str:
    lines = [line.partition("=") for line in text.splitlines()]
    return next((value for name, _, value in lines if name.strip() == "api_key"), "")


def _in_profile(text: str) -> str:
    profile = tomllib.loads(text).get("default")
    key = profile.get("api_key") if isinstance(profile, dict) else None
    return key if isinstance(key, str) else ""
