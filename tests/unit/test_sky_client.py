"""What the SDK raises, as the launcher is told of it."""

import pytest
from bouted.providers.sky_client import _raised
from bouted.providers.sky_wire import SkyError, SkyRaised

from bouted.errors import Retryable

OURS = "HTTPConnectionPool(host='127.0.0.1', port=46590): Max retries exceeded with url: /api/health"
CATALOG = (
    "HTTPSConnectionPool(host='raw.githubusercontent.com', port=443): Max retries exceeded with url:"
    " /skypilot-org/skypilot-catalog/master/catalogs/v8/lambda/vms.csv (Caused by NameResolutionError())"
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SkyError(type="ConnectionError", message=OURS), "SkyPilot's API server does not answer"),
        (SkyError(type="ApiServerConnectionError", message="Could not connect"), "does not answer"),
        (
            SkyError(type="ConnectionError", message=CATALOG),
            "reach raw.githubusercontent.com (it fetches",
        ),
    ],
)
def test_a_server_that_is_away_is_told_from_catalogs_that_cannot_be_fetched(
    error: SkyError, told: str
) -> None:
    raised = _raised(error)
    assert isinstance(raised, Retryable)
    assert told in str(raised)


def test_everything_else_is_skypilots_own_word() -> None:
    assert isinstance(_raised(SkyError(type="ValueError", message="no such task")), SkyRaised)
