"""One running instance as a machine: namespaces, SSH, metadata and the way to the cloud's API."""

import base64
import binascii
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from bouted.testing.ec2.metadata import Instance, Metadata
from bouted.testing.ec2.namespaces import Namespaces
from bouted.testing.ec2.relays import hand_over, listening, relay_to, stop
from bouted.testing.ec2.sshd import Sshd


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all machines share: `api_port` is the cloud's, `shared` are folders and where they are shown."""

    image: Path
    disks: Path
    logs: Path
    api_port: int
    shared: tuple[tuple[Path, Path], ...] = ()
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that lives until it is ended, or until something kills its first process."""

    instance: Instance
    disk: Path
    namespaces: Namespaces
    listeners: tuple[socket.socket, ...]
    metadata: Metadata

    @classmethod
    def boot(cls, instance: Instance, site: Site) -> "Machine":
        """A machine with an empty disk, reachable at the instance's address, port 22."""
        disk, log = site.disks / instance.id, site.logs / f"{instance.id}.log"
        sshd = Sshd(run=disk / "run", log=log)
        sshd.prepare(authorized_keys(instance.user_data), api_port=site.api_port, region=instance.region)
        name = f"ip-{instance.ip.replace('.', '-')}"
        inside = Namespaces.boot(
            disk, image=site.image, name=name, shared=site.shared, hidden=site.hidden, log=log
        )
        api = inside.on_network(lambda: listening(("127.0.0.1", site.api_port)))
        hand_over(api, relay_to(site.api_port))
        metadata = inside.on_network(lambda: Metadata(instance))
        metadata.start()
        ssh = listening((instance.ip, 22))
        hand_over(ssh, sshd.serving(inside))
        return cls(instance=instance, disk=disk, namespaces=inside, listeners=(api, ssh), metadata=metadata)

    def alive(self) -> bool:
        """Does anything run on it?"""
        return self.namespaces.unshare.poll() is None

    def end(self) -> None:
        """Kill everything on it, drop its connections and forget its disk."""
        for listener in self.listeners:
            stop(listener)
        self.namespaces.end()
        self.metadata.end()
        shutil.rmtree(self.disk)


def authorized_keys(user_data: str) -> tuple[str, ...]:
    """The keys that `users` of a cloud-init document may log in with; EC2 gives it in base64."""
    said = user_data.encode()
    for _ in range(2):  # some clients encode what the API's own encoding encodes again
        try:
            said = base64.b64decode(said, validate=True)
        except binascii.Error:
            break
    told = yaml.safe_load(said) if said else None
    users = told.get("users", []) if isinstance(told, Mapping) else []
    return tuple(
        str(key) for user in users if isinstance(user, Mapping) for key in user.get("ssh_authorized_keys", ())
    )
