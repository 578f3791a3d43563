"""What names at the clouds depend on, learned when it is first needed."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bouted.market.offers import Offer

from .aws_client import AwsClient
from .sky_images import Images
from .sky_places import ZoneNames
from .sky_resources import SkyNames
from .sky_zones import zone_names

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class NameBook:
    """Asks AWS for the account's zones, region by region, and remembers them in the file `kept`. `owned` says
    where own machines are, by their names, and `images` what machines boot."""

    client: AwsClient
    kept: Path
    owned: Mapping[str, str]
    images: Images
    _zones: ZoneNames = field(default_factory=ZoneNames, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def names(self, offers: tuple[Offer, ...]) -> SkyNames:
        """The names that these offers need; those that AWS did not tell are missing."""
        regions = {offer.region for offer in offers if offer.provider == "aws"}
        with self._turn:
            if not all(self._zones.covers(region) for region in regions):
                told = zone_names(self.client, regions, self.kept)
                self._zones = told.zones
                for problem in told.problems:
                    log.warning("zone names: %s", problem)
            return SkyNames(zones=self._zones, owned=self.owned, images=self.images)
