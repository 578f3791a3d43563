"""What `bouted doctor` and `bouted prices --quarantined` look like."""

from collections.abc import Callable
from datetime import timedelta

from bouted.cli.aside_rows import quarantined_table
from bouted.cli.doctor_rows import lines
from bouted.cli.price_rows import Wanted
from bouted.market.asking import Result
from bouted.market.course import Course
from bouted.market.diagnosis import Diagnosis, Quota
from bouted.market.doubt import Doubt, Outvoted, Quarantined
from bouted.market.examine import Examined
from bouted.market.offers import Market
from bouted.market.quotes import Unread
from bouted.testing.prices import NOON, a_quote

Golden = Callable[[str, str], None]

H100 = a_quote(
    "43.06615",
    provider="gcp",
    region="us-west1",
    zone="us-west1-b",
    instance_type="a3-highgpu-8g",
    gpu="H100-80GB",
    gpu_count=8,
    market=Market.ON_DEMAND,
    source="sky-catalog",
)


def a_course(name: str, result: Result, seconds_ago: float, quotes: int, unread: int = 0) -> Course:
    at = NOON - timedelta(seconds=seconds_ago)
    return Course(
        name=name, result=result, asked_at=at, next_at=NOON, answered_at=at, quotes=quotes, unread=unread
    )


def test_the_doctors_screen(golden: Golden) -> None:
    examined = (
        Examined(name="snapshot", diagnosis=Diagnosis(credential="not needed", reachable=True)),
        Examined(
            name="aws",
            diagnosis=Diagnosis(
                credential="iam-role",
                reachable=True,
                missing=("ec2:DescribeSpotPriceHistory",),
                problem="permission missing: ec2:DescribeSpotPriceHistory",
                hint='add "ec2:DescribeSpotPriceHistory" to the role, see docs/permissions/aws-read.json',
                quotas=(
                    Quota(
                        provider="aws",
                        region="us-east-1",
                        family="P",
                        market=Market.ON_DEMAND,
                        limit=192,
                        unit="vCPU",
                    ),
                    Quota(
                        provider="aws",
                        region="us-east-1",
                        family="G and VT",
                        market=Market.SPOT,
                        limit=64,
                        unit="vCPU",
                        used=8,
                    ),
                ),
                notes=(
                    "spot placement score 7 of 10 in use1-az1 for 2 of g6.4xlarge, g6.8xlarge, g6.xlarge",
                ),
            ),
        ),
        Examined(
            name="lambda",
            diagnosis=Diagnosis(
                credential="",
                reachable=None,
                problem="no Lambda API key",
                hint="set LAMBDA_API_KEY, or api_key_file under prices.sources.lambda",
                configured=False,
            ),
        ),
    )
    courses = {
        "snapshot": a_course("snapshot", Result.ANSWERED, 40, quotes=114),
        "aws": a_course("aws", Result.DENIED, 7300, quotes=412, unread=3),
    }
    golden("doctor", "\n".join(lines(examined, courses, NOON)))


def test_the_screen_of_what_is_not_believed(golden: Golden) -> None:
    flip = a_quote(
        "4.777",
        provider="azure",
        region="westus3",
        instance_type="Standard_NC24ads_A100_v4",
        gpu="A100-80GB-PCIE",
        market=Market.ON_DEMAND,
        source="azure",
    )
    mine = a_quote("0.62", source="aws")
    told = quarantined_table(
        (
            Quarantined(
                quote=H100,
                doubt=Doubt.FAR_UNDER_REGIONS,
                detail="$43.07 is 43% of $100.31 in 10 other regions",
            ),
            Quarantined(
                quote=flip,
                doubt=Doubt.UNCONFIRMED_STEP,
                detail="3.673 -> 4.777 (+30%), seen 1 of 3 times; 3.673 stays in use",
            ),
        ),
        (
            Unread(
                source="file:mine.csv",
                row=(("gpu", "L4"), ("usd_per_hour", "n/a")),
                reason="usd_per_hour 'n/a' is no number",
            ),
        ),
        (Outvoted(quote=a_quote("0.60", source="gpuhunt"), winner=mine),),
        Wanted(),
    )
    golden("prices-quarantined", "\n".join(told))
