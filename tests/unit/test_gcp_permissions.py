"""The role that the documents ask for is the one that the calls take, no more and no less."""

from datetime import UTC, datetime
from pathlib import Path

import yaml
from bouted.providers.gcp import GcpPrices

from bouted.testing.gcp import GcpCall, a_gcp_cloud, call_of, gcp_stand_in

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DOCUMENTS = Path(__file__).parents[2] / "docs" / "permissions"
# As Google's reference names them, by REST call; the price list is public.
TAKEN = {
    GcpCall.MACHINE_TYPES: "compute.machineTypes.list",
    GcpCall.CAPACITY_HISTORY: "compute.advice.capacityHistory",
    GcpCall.CAPACITY: "compute.advice.capacity",
    GcpCall.REGIONS: "compute.regions.list",
    GcpCall.OPERATIONS: "compute.zoneOperations.list",
    GcpCall.SKUS: None,
    GcpCall.INSTANCES: "compute.instances.list",
    GcpCall.DELETE: "compute.instances.delete",
}


def permissions_taken(folder: Path) -> set[str]:
    """Does all that the source can do, and maps what was asked to permissions."""
    with gcp_stand_in(a_gcp_cloud(NOW)) as server:
        source = GcpPrices.from_config(
            {"endpoint": server.url, "project": "p", "advice_types": ["g2-standard-4"]}, config_dir=folder
        )
        source.fetch(NOW)
        source.spot_history(NOW, NOW)
        source.diagnose(NOW)
        source.acknowledge(source.notices(0.0))
        calls = {call_of(asked) for asked in server.asked}
    assert None not in calls
    return {name for call in calls if call is not None and (name := TAKEN[call]) is not None}


def test_the_custom_role_has_the_permissions_that_are_taken_and_no_others(tmp_path: Path) -> None:
    role = yaml.safe_load((DOCUMENTS / "gcp-read.yaml").read_text(encoding="utf-8"))
    assert set(role["includedPermissions"]) == permissions_taken(tmp_path)
    assert len(role["includedPermissions"]) == len(set(role["includedPermissions"]))


def test_the_document_explains_every_permission_of_the_role() -> None:
    role = yaml.safe_load((DOCUMENTS / "gcp-read.yaml").read_text(encoding="utf-8"))
    text = (DOCUMENTS / "gcp-roles.md").read_text(encoding="utf-8")
    assert [name for name in role["includedPermissions"] if f"| `{name}` |" not in text] == []


def test_nothing_that_changes_anything_is_asked_for() -> None:
    role = yaml.safe_load((DOCUMENTS / "gcp-read.yaml").read_text(encoding="utf-8"))
    reading = ("list", "capacity", "capacityHistory")
    assert [name for name in role["includedPermissions"] if name.rpartition(".")[2] not in reading] == []
