"""EC2 with machines on this one machine, for a SkyPilot that does not know."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from bouted.testing.ec2.account import Account
from bouted.testing.ec2.catalog import DEFAULT, Listing
from bouted.testing.ec2.child import Child
from bouted.testing.ec2.faults import FaultProxy, Faults
from bouted.testing.ec2.home import SkyHome
from bouted.testing.ec2.host import MachineHost
from bouted.testing.ec2.image import bake
from bouted.testing.ec2.needs import why_not
from bouted.testing.ec2.network import claim_octet


class StandInCloud:
    """A cloud with real machines, for as long as the block lasts:

        with StandInCloud(image=Path("build/sky/image")) as cloud:
            subprocess.run(["sky", "launch", ...], env=cloud.env())        # real SkyPilot, its own HOME
            cloud.account.running(replica="r-1")                           # instances by tag, with times
            cloud.faults.refuse("InsufficientInstanceCapacity", zone="us-east-1a", spot=True)
            cloud.faults.attempts, cloud.faults.counts(SKY_KEY)            # what was asked
            cloud.account.terminate(cloud.account.running())               # a preemption
            cloud.machines.warn(instance_id, ends_at)                      # and its notice
            with cloud.home.key.tunnel(instance.ip, 8080) as url: ...      # a port of its loopback
            cloud.home.living()                                            # SkyPilot's processes
            cloud.url                                                      # the API, for another client

    Every running instance is a machine with its own processes, loopback, files and sshd at its private
    address, from this machine alone; when the instance ends, all on it is killed. A machine shows each folder
    of `shared` read-only where its pair says, under /opt: [(Path(".venv").absolute(), Path("/opt/venv"))].
    It shows the folders of `hidden` empty, so that nothing leans on files which a real instance has not.
    Instances have no GPU, whatever their type says; SkyPilot counts GPUs without looking.
    Whatever of SkyPilot runs on in `home` at the end is killed. Several clouds may run at once.
    """

    faults: Faults
    account: Account
    machines: MachineHost
    home: SkyHome
    url: str

    def __init__(
        self,
        *,
        image: Path,
        listings: Iterable[Listing] = DEFAULT,
        shared: Iterable[tuple[Path, Path]] = (),
        hidden: Iterable[Path] = (),
        work: Path | None = None,
    ) -> None:
        """`image`: where the machine image is kept; `work`: a folder that stays, else one that does not."""
        self._image = image.absolute()
        self._listings = tuple(listings)
        self._shared = tuple(shared)
        self._hidden = tuple(hidden)
        self._work = work
        self._parts = ExitStack()

    @staticmethod
    def why_not() -> str:
        """Why it cannot run on this machine, in one line; "" where it can."""
        return why_not()

    def start(self) -> None:
        """Bake the image if need be (a minute, once), then start in about four seconds."""
        home_image = bake(self._image)
        with ExitStack() as parts:
            work = self._work_folder(parts)
            octet, claim = claim_octet()
            parts.callback(os.close, claim)
            server = Child.start("bouted.testing.ec2.aws_server", log=work / "aws.log")
            parts.callback(server.stop)
            zones = tuple(sorted({row.zone for row in self._listings}))
            self.account = Account(server=server, octet=octet, zones=zones)
            self.account.open()
            self.faults = Faults(subnet_zones=self.account.subnets)
            proxy = FaultProxy(self.faults, server.port)
            proxy.start()
            parts.callback(proxy.stop)
            self.url = f"http://127.0.0.1:{proxy.server_port}"
            self.machines = MachineHost.start(
                url=server.url,
                api_port=proxy.server_port,
                regions=self.account.regions,
                image=home_image,
                work=work,
                shared=self._shared,
                hidden=self._hidden,
            )
            parts.callback(self.machines.stop)
            self.home = SkyHome.make(
                work / "home",
                url=self.url,
                listings=self._listings,
                zone_ids=self.account.zone_ids,
            )
            parts.callback(self.home.end)
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """End everything that it started, and everything that SkyPilot started."""
        self._parts.close()

    def env(self) -> dict[str, str]:
        """The whole environment of a SkyPilot client or server."""
        return self.home.env()

    def _work_folder(self, parts: ExitStack) -> Path:
        if self._work:
            self._work.mkdir(parents=True)
            return self._work.absolute()
        work = Path(tempfile.mkdtemp(prefix="bouted-ec2-"))
        parts.callback(shutil.rmtree, work, ignore_errors=True)
        return work

    def __enter__(self) -> "StandInCloud":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
