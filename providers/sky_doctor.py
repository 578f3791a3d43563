"""Looks at what the SkyPilot launcher needs on this machine and at the clouds, and changes nothing."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import monotonic, sleep

from bouted.errors import BoutedError, Retryable
from bouted.reconcile.checkup import Finding, State

from .local_process import is_locked
from .ports import is_free
from .sky_api import SkyApi
from .sky_check import CloudCheck, clouds_in
from .sky_home import LINKED, SkyHome
from .sky_options import OWN, SkyOptions
from .sky_wire import UNDER_WAY, SkyRaised

RENTED = ("aws", "gcp", "azure", "lambda", "runpod")
PROGRAMS = {"ssh": "openssh-client", "rsync": "rsync"}
CHECK_S, LOOK_S = 180.0, 1.0
ANSWER = "clouds"


@dataclass(frozen=True, kw_only=True)
class SkyDoctor:
    """`served` is SkyPilot with a server that answers, for as long as it is asked: the one that runs in
    `home`, or another."""

    home: SkyHome
    options: SkyOptions
    served: Callable[[], AbstractContextManager[SkyApi]]

    def check_up(self) -> tuple[Finding, ...]:
        """Programs, the API server's port, credentials, and every cloud that may be rented at."""
        return (*map(_program, PROGRAMS), self._port(), self._credentials(), *self._clouds())

    def _port(self) -> Finding:
        """Whether the API server has its port, or can have it."""
        port = self.home.port
        if is_locked(self.home.server_lock):
            return Finding(what="API server", state=State.OK, told=f"ours runs on port {port}")
        if is_free(port):
            return Finding(what="API server", state=State.OK, told=f"port {port} is free for it")
        return Finding(
            what="API server",
            state=State.TROUBLE,
            told=f"something else listens on port {port}",
            hint="launcher.options.port: another one",
        )

    def _credentials(self) -> Finding:
        """Which of the clouds' credentials are where their own tools put them."""
        theirs = self.options.credentials_from
        found = [name for name in LINKED if (theirs / name).exists()]
        if not found:
            return Finding(what="credentials", state=State.OFF, told=f"no cloud's under {theirs}")
        return Finding(what="credentials", state=State.OK, told=f"{', '.join(found)} under {theirs}")

    def _clouds(self) -> tuple[Finding, ...]:
        asked = self._named() if self.options.clouds else (*RENTED, *self._named())
        try:
            with self.served() as api:
                log = _checked(api, asked)
        except SkyRaised as raised:
            said = " ".join(raised.error.message.split())
            return (Finding(what=ANSWER, state=State.TROUBLE, told=f"SkyPilot: {said}"),)
        except BoutedError as error:
            return (Finding(what=ANSWER, state=State.TROUBLE, told=error.message, hint=error.hint),)
        told = clouds_in(log)
        if not told:
            return (Finding(what=ANSWER, state=State.TROUBLE, told="SkyPilot told of no cloud"),)
        return self._judged(told)

    def _named(self) -> tuple[str, ...]:
        """What the config names: clouds, and where own machines are."""
        own = sorted({OWN[place.partition("/")[0]] for place in self.options.infra.values()})
        return (*(cloud.lower() for cloud in self.options.clouds), *own)

    def _judged(self, told: Sequence[CloudCheck]) -> tuple[Finding, ...]:
        """A cloud that is not set up is trouble where the config names it, or where there is no other."""
        nowhere, named = not any(cloud.enabled for cloud in told), self._named()
        found = tuple(_cloud(cloud, named, nowhere) for cloud in told)
        if nowhere:
            lost = Finding(what=ANSWER, state=State.TROUBLE, told="SkyPilot can rent nowhere: set one up")
            return (*found, lost)
        return found


def _cloud(cloud: CloudCheck, named: Sequence[str], nowhere: bool) -> Finding:
    if cloud.enabled:
        return Finding(what=cloud.cloud, state=State.OK, told="SkyPilot can rent there")
    state = State.TROUBLE if cloud.cloud in named else State.OFF
    hint = cloud.fix if nowhere or cloud.cloud in named else ""
    return Finding(what=cloud.cloud, state=state, told=cloud.said, hint=hint)


def _checked(api: SkyApi, clouds: Sequence[str]) -> str:
    """The log of a `sky check`, once it is over; SkyRaised when that failed."""
    request_id, until = api.check(clouds), monotonic() + CHECK_S
    while api.state(request_id) in UNDER_WAY:
        if monotonic() > until:
            raise Retryable(f"SkyPilot's check took over {CHECK_S:.0f} s", after_s=CHECK_S)
        sleep(LOOK_S)
    if (error := api.error(request_id)) is not None:
        raise SkyRaised(error)
    return api.log(request_id)


def _program(name: str) -> Finding:
    path = shutil.which(name)
    if path is not None:
        return Finding(what=name, state=State.OK, told=path)
    hint = f"apt install {PROGRAMS[name]}"
    return Finding(what=name, state=State.TROUBLE, told="not on this machine", hint=hint)
