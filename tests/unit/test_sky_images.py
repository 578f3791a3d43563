"""Which image a node boots: as the config names it by cloud and region, checked before anything is rented."""

import pytest
from bouted.providers.sky_images import Images, read_images
from bouted.providers.sky_options import SkyOptions
from bouted.providers.sky_resources import SkyChoice, SkyNames, choice_of, resources_config
from bouted.providers.sky_types import NotLaunchable

from bouted.config.problems import ConfigErrors
from bouted.market.offers import Offer
from bouted.testing.fleet import an_offer

BY_IMAGE = {"vllm": {"set_up": "image"}}
EAST = "ami-0aaaaaaaaaaaaaaaa"


def images(options: object) -> Images:
    named, problems = read_images(options, "launcher.options.image")
    assert problems == ()
    return Images(named=named)


@pytest.mark.parametrize(
    ("said", "infra", "image"),
    [
        ({}, "aws/us-east-1", ""),
        ("docker:vllm/vllm-openai", "aws/us-east-1", "docker:vllm/vllm-openai"),
        ("docker:vllm/vllm-openai", "lambda", "docker:vllm/vllm-openai"),
        ({"aws": EAST}, "aws/us-west-2/us-west-2a", EAST),
        ({"aws": EAST}, "gcp/us-central1", ""),
        ({"aws": {"us-east-1": EAST}}, "aws/us-east-1/us-east-1a", EAST),
        ({"aws": {"us-east-1": EAST}}, "aws/us-east-1", EAST),
        ({"aws": {"us-east-1": EAST}}, "aws/us-east-11", None),
        ({"aws": {"us-east-1": EAST}}, "aws/us-west-2", None),
        ({"lambda": {"us-east-1": "docker:a"}}, "lambda", None),
        ({"k8s": {"arn:aws:eks:1:cluster/gpu": "a/b"}}, "k8s/arn:aws:eks:1:cluster/gpu", "a/b"),
    ],
)  # fmt: skip
def test_a_place_has_the_image_of_its_cloud_and_region(said: object, infra: str, image: str | None) -> None:
    assert images(said).of(infra) == image


def offer(region: str) -> Offer:
    return an_offer(region=region)


def test_the_image_goes_to_skypilot_with_the_resources() -> None:
    choice = choice_of(offer("us-east-1"), SkyNames(images=images({"aws": {"us-east-1": EAST}})))
    assert isinstance(choice, SkyChoice)
    assert resources_config(choice, {})["image_id"] == EAST
    plain = choice_of(offer("us-east-1"), SkyNames())
    assert isinstance(plain, SkyChoice)
    assert "image_id" not in resources_config(plain, {})


def test_where_no_image_is_named_though_engines_come_with_it_nothing_is_rented() -> None:
    one_region = SkyNames(images=images({"aws": {"us-east-1": EAST}}))
    reason = "launcher.options.image names none for aws/us-west-2"
    assert choice_of(offer("us-west-2"), one_region) == NotLaunchable(reason=reason)
    needed = SkyNames(images=Images(named={"gcp": {"": "projects/p/global/images/i"}}, needed=True))
    assert choice_of(offer("us-west-2"), needed) == NotLaunchable(reason=reason)


def problems(**options: object) -> list[str]:
    with pytest.raises(ConfigErrors) as wrong:
        SkyOptions.from_config(options)
    return [line.removeprefix("config launcher.options.") for line in str(wrong.value).splitlines()]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (7, "image: must be an image's name, got 7 (like {aws: {us-east-1: ami-"),
        ({"asw": EAST}, "image.asw: no such cloud (did you mean aws?)"),
        ({"aws": ""}, "image.aws: must be an image's name, got ''"),
        ({"aws": {}}, "image.aws: must be an image's name, got {}"),
        ({"aws": {"us-east-1": ["ami-1"]}}, "image.aws.us-east-1: must be an image's name, got ['ami-1']"),
        ({"gcp": "projects/p/global/images/my image"}, "image.gcp: must be an image's name, got 'projects/"),
    ],
)
def test_an_image_that_cannot_be_one_is_told_by_its_path(said: object, told: str) -> None:
    (line,) = problems(image=said)
    assert line.startswith(told)


def test_all_that_is_wrong_with_images_is_told_with_all_else() -> None:
    told = problems(image={"aws": 1, "gpc": "x"}, disk_gib="many", engines={"vllm": {"set_up": "no"}})
    assert [line.partition(": ")[0] for line in told] == [
        "disk_gib",
        "engines.vllm.set_up",
        "image.gpc",
        "image.aws",
    ]


def test_an_engine_that_comes_with_the_image_needs_one_or_a_program() -> None:
    (line,) = problems(engines=BY_IMAGE)
    assert line.startswith(
        "image: must name one: SkyPilot's own have no vllm (set_up: image) (like {aws: {us-east-1: ami-0123}"
    )
    assert SkyOptions.from_config({"engines": BY_IMAGE, "image": {"aws": EAST}}).images.needed
    by_program = {"vllm": {"set_up": "image", "program": ["/opt/vllm", "serve"]}}
    assert not SkyOptions.from_config({"engines": by_program}).images.needed
