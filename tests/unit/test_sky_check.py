"""What `sky check` of SkyPilot 0.14.1 writes, read cloud by cloud."""

import pytest
from bouted.providers.sky_check import CloudCheck, clouds_in

SAID = """\
Checking credentials to enable infra for SkyPilot.
<sky-payload>"<rich_exit></rich_exit>"</sky-payload>
\x1b[32m\x1b[22m  AWS: enabled [compute, storage]\x1b[0m\x1b[0m
\x1b[2m  Azure: disabled \x1b[0m\x1b[0m
    Reason [compute, storage]: ~/.azure/msal_token_cache.json does not exist. Run the following commands:
      $ az login
      $ az account set -s <subscription_id>
\x1b[2m  DO: disabled \x1b[0m\x1b[0m
    Reason [compute]: Traceback (most recent call last):
  File "sky/check.py", line 213, in check_one_cloud_one_capability
    ok, reason = cloud.check_credentials(capability)
ModuleNotFoundError: No module named 'azure'
\x1b[2m  GCP: disabled \x1b[0m\x1b[0m
    Reason [compute, storage]: GCP tools are not installed. Run the following commands:
      $ pip install google-api-python-client
    Details: [ModuleNotFoundError] No module named 'googleapiclient'
\x1b[32m\x1b[22m  Kubernetes: enabled [compute]\x1b[0m
    Allowed contexts:
    └── pods: enabled.\x1b[0m
\x1b[2m  Lambda: disabled \x1b[0m\x1b[0m
    Reason [compute]: Failed to access Lambda Cloud with credentials. To configure credentials, go to:
      https://cloud.lambdalabs.com/api-keys
\x1b[32m\x1b[22m  Nebius: enabled [storage]\x1b[0m\x1b[0m
    Reason [compute]: No token. Run the following commands:
      $ nebius iam get-access-token
\x1b[2m  SSH: disabled \x1b[0m\x1b[0m
    Reason [compute]: `socat` is required and it is not installed.
    On Debian/Ubuntu, install the missing dependenc(ies) with:
      $ sudo apt install socat netcat
\x1b[2m  VastData: disabled \x1b[0m\x1b[0m
    Reason [storage]: No profile.

\x1b[32m🎉 Enabled infra 🎉\x1b[0m
  AWS [compute, storage]
  Kubernetes: not a cloud's line
"""


def off(cloud: str, said: str, fix: str = "") -> CloudCheck:
    return CloudCheck(cloud=cloud, enabled=False, said=said, fix=fix)


def test_every_cloud_is_read_with_what_it_lacks_and_the_fix() -> None:
    assert clouds_in(SAID) == (
        CloudCheck(cloud="aws", enabled=True),
        off(
            "azure",
            "~/.azure/msal_token_cache.json does not exist",
            "az login, and az account set -s SUBSCRIPTION",
        ),
        off("do", "ModuleNotFoundError: No module named 'azure'"),
        off(
            "gcp",
            "GCP tools are not installed",
            "pip install 'bouted[gcp]', then: gcloud auth application-default login, and gcloud config set "
            "project PROJECT",
        ),
        CloudCheck(cloud="kubernetes", enabled=True),
        off(
            "lambda",
            "Failed to access Lambda Cloud with credentials",
            "put `api_key = KEY` into ~/.lambda_cloud/lambda_keys",
        ),
        off("nebius", "No token", "nebius iam get-access-token"),
        off("ssh", "`socat` is required and it is not installed", "sudo apt install socat netcat"),
        off("vastdata", "SkyPilot does not say why"),
    )


@pytest.mark.parametrize("log", ["", "no such thing\n", "  AWS: maybe\n"])
def test_where_it_tells_of_no_cloud_there_is_none(log: str) -> None:
    assert clouds_in(log) == ()


def test_a_long_reason_is_cut() -> None:
    (cloud,) = clouds_in(f"  AWS: disabled \n    Reason [compute]: {'word ' * 60}\n")
    assert len(cloud.said) == 160
    assert cloud.said.endswith("...")
