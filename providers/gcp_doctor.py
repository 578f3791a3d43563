"""Finds out how the source is set up: one cheap call for each permission that it takes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from bouted.errors import BoutedError, NotConfigured, PermissionMissing
from bouted.market.diagnosis import Diagnosis, Quota, not_set_up

from .gcp_calls import Asking
from .gcp_desk import GcpDesk
from .gcp_machines import Machine
from .gcp_notices import list_preempted
from .gcp_quota import list_regions, quotas_of


@dataclass(slots=True)
class _Findings:
    reached: bool = False
    missing: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    problems: list[BoutedError] = field(default_factory=list)

    def of(self, call: Callable[[], object]) -> None:
        """Make the call and note how it ended."""
        try:
            call()
        except PermissionMissing as error:
            self.missing.append(error.permission)
            self.hints.append(error.hint)
        except BoutedError as error:
            self.problems.append(error)
            return
        self.reached = True


def diagnose(open_desk: Callable[[], GcpDesk], now: datetime) -> Diagnosis:
    """Credential, reach, missing permissions, quotas; never raises for what it is there to find out."""
    try:
        desk = open_desk()
    except NotConfigured as error:
        return not_set_up(error)
    except BoutedError as error:
        return Diagnosis(credential="", reachable=None, problem=error.message, hint=error.hint)
    findings, quotas = _Findings(), list[Quota]()
    asking = desk.asking()
    machines: list[Machine] = []
    findings.of(lambda: machines.extend(desk.listing(now, asking).machines))
    findings.of(lambda: quotas.extend(_quotas(desk, asking)))
    findings.of(partial(desk.prices.try_one, asking))
    for machine in machines[:1]:
        findings.of(partial(desk.advice.ask, machine, now, asking))
        findings.of(partial(list_preempted, desk.clients.operations, machine.zone, now, asking))
    if machines and desk.options.advice_types:
        findings.of(partial(desk.outlooks.try_one, machines[0], asking))
    problem = findings.problems[0] if findings.problems else None
    return Diagnosis(
        credential=desk.clients.credential,
        reachable=findings.reached,
        missing=tuple(findings.missing),
        quotas=tuple(quotas),
        problem=problem.message if problem else "",
        hint=problem.hint if problem else next(iter(findings.hints), ""),
    )


def _quotas(desk: GcpDesk, asking: Asking) -> tuple[Quota, ...]:
    return quotas_of(list_regions(desk.clients.regions, desk.options.regions, asking))
