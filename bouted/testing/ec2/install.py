"""Installs the Debian packages that the stand-in cloud lacks, where it can; starts no service of theirs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bouted.testing.ec2.needs import OWN_MACHINES, command, missing_packages

_POLICY = Path("/usr/sbin/policy-rc.d")


def main() -> None:
    """Install them if this is Debian and we are root; what is missing even then, the tests tell."""
    missing = missing_packages(OWN_MACHINES)
    if not missing or os.geteuid() != 0 or not command("apt-get"):
        return
    print(f"installing {' '.join(missing)}", file=sys.stderr)
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
    with _no_services():
        for argv in (["apt-get", "update", "-qq"], install):
            env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            if subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode:
                print(f"{' '.join(argv[:2])} failed; going on", file=sys.stderr)
                return


@contextmanager
def _no_services() -> Iterator[None]:
    """Until the block ends, packages start no service; a policy that is there already is left alone."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


if __name__ == "__main__":
    main()
