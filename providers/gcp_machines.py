"""Machine types with GPUs: what Google offers in each zone. Reading only."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from google.cloud.compute_v1 import MachineType

from bouted.catalog.names import catalog_gpu
from bouted.market.quotes import Row, Unread

from .gcp_options import GcpOptions

MOST_GPUS = 72
# A share of a GPU, listed as if it were a whole one.
_SHARES = ("g4-standard-6", "g4-standard-12", "g4-standard-24")
_LEAVING = ("DEPRECATED", "OBSOLETE", "DELETED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine type in one zone. `ssd_partitions` is 0 where Google does not say."""

    name: str
    region: str
    zone: str
    vcpus: int
    memory_gib: Decimal
    accelerator: str
    gpus: int
    ssd_partitions: int

    @property
    def gpu(self) -> str:
        """The catalog's name of its GPU."""
        return catalog_gpu(self.accelerator)

    @property
    def row(self) -> Row:
        """Its own columns."""
        return (
            ("machineType", self.name),
            ("zone", self.zone),
            ("guestCpus", str(self.vcpus)),
            ("memoryGiB", str(self.memory_gib)),
            ("accelerator", f"{self.gpus} x {self.accelerator}"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Machine types as they were read at `at`."""

    at: datetime
    machines: tuple[Machine, ...] = ()
    unread: tuple[Unread, ...] = ()
    gaps: tuple[str, ...] = ()


def last_part(url: str) -> str:
    """The name at the end of one of Google's links."""
    return url.rpartition("/")[2]


def region_of(zone: str) -> str:
    """The region that a zone is in: us-central1 for us-central1-a."""
    return zone.rpartition("-")[0]


def read_machine(said: MachineType, zone: str, options: GcpOptions) -> Machine | Unread | None:
    """The machine type; None where it is not wanted, is on its way out, or has a share of a GPU."""
    wanted = options.wants(said.name) and region_of(zone) in options.regions
    if not wanted or said.name in _SHARES or said.deprecated.state in _LEAVING:
        return None
    own = said.accelerators[0] if len(said.accelerators) == 1 else None
    machine = Machine(
        name=said.name,
        region=region_of(zone),
        zone=zone,
        vcpus=said.guest_cpus,
        memory_gib=Decimal(said.memory_mb) / 1024,
        accelerator=last_part(own.guest_accelerator_type) if own else "",
        gpus=own.guest_accelerator_count if own else 0,
        ssd_partitions=max(0, said.bundled_local_ssds.partition_count),
    )
    wrong = _wrong(machine)
    return Unread(source="gcp", row=machine.row, reason=wrong) if wrong else machine


def _wrong(machine: Machine) -> str:
    if not machine.accelerator:
        return "has no GPU of its own, or more than one kind"
    if not 1 <= machine.gpus <= MOST_GPUS:
        return f"guestAcceleratorCount {machine.gpus} is no number of GPUs"
    if machine.vcpus < 1 or machine.memory_gib <= 0:
        return f"guestCpus {machine.vcpus} and {machine.memory_gib} GiB are no machine"
    return ""
