"""Asks how many Spot VMs of a type could be had now, and for how long: a scarce call, made once an hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from google.cloud import compute_v1

from bouted.errors import BoutedError, Retryable

from .gcp_calls import Absent, Asking
from .gcp_machines import Machine
from .gcp_options import GcpOptions
from .gcp_outlook import SIZE, Outlook, read_outlooks

PERMISSION = "compute.advice.capacity"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    at: datetime
    zones: dict[str, Outlook]
    gap: str = ""


class Outlooks:
    """One answer per type and region, kept for `advice_every_s` whether it was good or not."""

    def __init__(self, client: compute_v1.AdviceClient, options: GcpOptions) -> None:
        self._client = client
        self._options = options
        self._kept: dict[tuple[str, str], _Asked] = {}

    def get(
        self, machines: tuple[Machine, ...], now: datetime, asking: Asking
    ) -> tuple[dict[tuple[str, str], Outlook], tuple[str, ...]]:
        """Outlooks by zone and type, and a line per question that was not answered."""
        zones: dict[tuple[str, str], list[str]] = {}
        for machine in machines:
            if machine.name in self._options.advice_types:
                zones.setdefault((machine.region, machine.name), []).append(machine.zone)
        found: dict[tuple[str, str], Outlook] = {}
        gaps: list[str] = []
        for (region, name), within in sorted(zones.items()):
            asked = self._asked(region, name, tuple(within), now, asking)
            found |= {(zone, name): outlook for zone, outlook in asked.zones.items()}
            gaps += [asked.gap] if asked.gap else []
        return found, tuple(gaps)

    def try_one(self, machine: Machine, asking: Asking) -> None:
        """Ask about one type in one zone, to see whether one may."""
        self._ask(machine.region, machine.name, (machine.zone,), asking)

    def _ask(
        self, region: str, name: str, zones: tuple[str, ...], asking: Asking
    ) -> compute_v1.CapacityAdviceResponse:
        return asking.ask(
            PERMISSION,
            lambda retry, timeout: self._client.capacity(
                _request(region, name, zones, asking.project), retry=retry, timeout=timeout
            ),
        )

    def _asked(self, region: str, name: str, zones: tuple[str, ...], now: datetime, asking: Asking) -> _Asked:
        kept = self._kept.get((region, name))
        every = timedelta(seconds=self._options.advice_every_s)
        if kept is not None and timedelta() <= now - kept.at < every:
            return kept
        try:
            said = self._ask(region, name, zones, asking)
            asked = _Asked(at=now, zones=read_outlooks(said, name, zones))
        except Absent:
            asked = _Asked(at=now, zones={})
        except BoutedError as error:
            told = "told to slow down" if isinstance(error, Retryable) else error.message
            asked = _Asked(at=now, zones={}, gap=f"obtainability of {name} in {region}: {told}")
        self._kept[region, name] = asked
        return asked


def _request(
    region: str, name: str, zones: tuple[str, ...], project: str
) -> compute_v1.CapacityAdviceRpcRequest:
    selection = compute_v1.CapacityAdviceRequestInstanceFlexibilityPolicyInstanceSelection(
        machine_types=[name]
    )
    return compute_v1.CapacityAdviceRpcRequest(
        project=project,
        region=region,
        capacity_advice_request_resource=compute_v1.CapacityAdviceRequest(
            size=SIZE,
            instance_flexibility_policy=compute_v1.CapacityAdviceRequestInstanceFlexibilityPolicy(
                instance_selections={"only": selection}
            ),
            instance_properties=compute_v1.CapacityAdviceRequestInstanceProperties(
                scheduling=compute_v1.CapacityAdviceRequestInstancePropertiesScheduling(
                    provisioning_model="SPOT"
                )
            ),
            distribution_policy=compute_v1.CapacityAdviceRequestDistributionPolicy(
                target_shape="ANY",
                zones=[
                    compute_v1.CapacityAdviceRequestDistributionPolicyZoneConfiguration(zone=f"zones/{zone}")
                    for zone in zones
                ],
            ),
        ),
    )
