"""What SkyPilot's own config becomes of the launcher's options."""

import pytest
from bouted.providers.sky_options import SkyOptions

OWN = {"rack": "ssh/rack1", "pods": "k8s/arn:aws:eks:us-east-1:1:cluster/gpu", "more": "k8s/a"}
CONTEXTS = {"allowed_contexts": ["a", "arn:aws:eks:us-east-1:1:cluster/gpu"]}


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({}, {}),
        ({"clouds": ["aws"]}, {"allowed_clouds": ["aws"]}),
        ({"infra": OWN}, {"kubernetes": CONTEXTS}),
        ({"infra": {"rack": "ssh/rack1"}}, {}),
        ({"clouds": ["aws"], "infra": {"rack": "ssh/rack1"}}, {"allowed_clouds": ["aws", "ssh"]}),
        (
            {"clouds": ["gcp"], "infra": OWN},
            {"allowed_clouds": ["gcp", "kubernetes", "ssh"], "kubernetes": CONTEXTS},
        ),
        (
            {"infra": OWN, "sky": {"kubernetes": {"provision_timeout": 600}, "aws": {"vpc_name": "llm"}}},
            {"kubernetes": {**CONTEXTS, "provision_timeout": 600}, "aws": {"vpc_name": "llm"}},
        ),
        (
            {"infra": OWN, "clouds": ["aws"], "sky": {"allowed_clouds": ["gcp"]}},
            {"allowed_clouds": ["gcp"], "kubernetes": CONTEXTS},
        ),
        (
            {"infra": OWN, "sky": {"kubernetes": {"allowed_contexts": "all"}}},
            {"kubernetes": {"allowed_contexts": "all"}},
        ),
    ],
    ids=str,
)
def test_skypilot_may_use_the_clouds_and_the_own_machines_that_the_config_names(
    options: dict[str, object], settings: dict[str, object]
) -> None:
    assert SkyOptions.from_config(options).settings() == settings
