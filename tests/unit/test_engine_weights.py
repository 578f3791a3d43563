"""Where weights come from, and the shell that brings them: once, whole, and with a clear word when not."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from bouted.providers.engine_options import EngineOptions, SetUp
from bouted.providers.engine_start import Step
from bouted.providers.engine_weights import Kind, kind_of, weights_for

from bouted.config.goals import ModelSettings
from bouted.config.load import load_config
from bouted.daemon.parts import load
from bouted.daemon.serving import serving_of
from bouted.errors import Misconfigured
from bouted.perf.shapes import Engine
from bouted.testing.orders import a_replica_order

OPTIONS = EngineOptions(engine=Engine.VLLM, version="0.32.0", set_up=SetUp.IMAGE)
EXAMPLE = Path(__file__).parents[2] / "systemd" / "bouted.yaml.example"

# What `hf`, `aws` and `gcloud` do as far as the scripts need them; buckets are folders in $BUCKETS.
HF = """#!/bin/sh
echo "$@" >>"$LOG"
if test -e "$BUCKETS/hub-is-down"; then echo "401 Client Error" >&2; exit 1; fi
sleep 0.2
mkdir -p "$4/.cache" && echo weights >"$4/model.safetensors" && echo mark >"$4/.cache/mark"
"""
AWS = """#!/bin/sh
echo "$@" >>"$LOG"
place() ( case "$1" in *://*) echo "$BUCKETS/$(echo "$1" | sed 's#.*://##')" ;; *) echo "$1" ;; esac )
shift
case "$1" in
ls) test -e "$(place "$2")" ;;
*)
  for last; do before="$to"; to="$last"; done
  to="$(place "$to")"
  from="$(place "$before")"
  if test -d "$from"; then
    mkdir -p "$to" && cp -r "$from/." "$to" && rm -rf "$to/.cache" && rm -f "$to/.complete"
  else cp "$from" "$to"; fi ;;
esac
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that has little more than a shell; `buckets` holds what is in the clouds."""

    home: Path
    buckets: Path
    log: Path
    env: Mapping[str, str]

    def command(self, step: Step) -> tuple[str, ...]:
        """What runs there."""
        return tuple(word.replace("{home}", str(self.home)) for word in step.argv)

    def run(self, step: Step, **env: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        asked = {**self.env, **env}
        return subprocess.run(self.command(step), env=asked, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        """What the tools were called with."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    programs = tmp_path / "bin"
    for folder in (programs, tmp_path / "home", tmp_path / "buckets"):
        folder.mkdir()
    for name, text in (("hf", HF), ("aws", AWS), ("gcloud", AWS)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    env = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "BUCKETS": str(tmp_path / "buckets"),
        "LOG": str(tmp_path / "log"),
    }
    return Machine(home=tmp_path / "home", buckets=tmp_path / "buckets", log=tmp_path / "log", env=env)


def fetch(weights: str, *, cache: str = "") -> tuple[Step, str]:
    """The one step that brings the weights, and the folder that they are then in."""
    found = weights_for(weights, replace(OPTIONS, cache=cache), token=True)
    (step,) = found.steps
    return step, found.model


@pytest.mark.parametrize(
    ("weights", "kind"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", Kind.HUB),
        ("s3://bucket/llama-3.1/fp8", Kind.BUCKET),
        ("gs://bucket/llama/", Kind.BUCKET),
        ("/mnt/weights/llama", Kind.FOLDER),
    ],
)
def test_the_config_takes_what_engines_can_load(weights: str, kind: Kind) -> None:
    assert kind_of(weights) is kind
    assert ModelSettings.model_validate({"name": "m", "spec": "s", "weights": weights}).weights == weights


@pytest.mark.parametrize(
    "weights", ["llama", "a/b/c", "https://hub/a/b", "az://b", "../x", "s3://b/$(id)", ""]
)
def test_the_config_refuses_what_is_no_place_for_weights(weights: str) -> None:
    with pytest.raises(ValueError, match="weights"):
        ModelSettings.model_validate({"name": "m", "spec": "s", "weights": weights})


def test_what_is_no_place_for_weights_is_refused_with_the_places_that_are() -> None:
    with pytest.raises(Misconfigured, match="owner/name on the hub"):
        kind_of("llama")


def test_a_model_is_loaded_from_the_specs_own_repository_unless_the_config_says_otherwise(
    tmp_path: Path,
) -> None:
    text = EXAMPLE.read_text()
    (tmp_path / "evals.jsonl").write_text("")
    for said, weights in (("null", "meta-llama/Llama-3.1-8B-Instruct"), ("s3://b/l", "s3://b/l")):
        file = tmp_path / "bouted.yaml"
        file.write_text(text.replace("weights: null", f"weights: {said}"))
        assert load_config(file).models[0].weights == (None if said == "null" else said)
        shape = replace(a_replica_order().shape, model="small")
        assert serving_of(load(file), shape).weights == weights


def test_a_folder_is_loaded_where_it_is() -> None:
    found = weights_for("/mnt/llama", OPTIONS, token=False)
    assert (found.model, found.steps, found.from_hub) == ("/mnt/llama", (), False)


def test_weights_that_need_not_be_fetched_are_left_to_the_engine() -> None:
    found = weights_for("meta-llama/Llama-3.1-8B", replace(OPTIONS, fetch=False), token=False)
    assert (found.model, found.steps) == ("meta-llama/Llama-3.1-8B", ())


def test_a_gated_repository_without_a_token_is_one_clear_line() -> None:
    with pytest.raises(Misconfigured) as refused:
        weights_for("meta-llama/Llama-3.1-8B", OPTIONS, token=False)
    assert str(refused.value) == (
        "models[].weights: meta-llama/Llama-3.1-8B is gated and there is no token"
        " (hf_token_file names a file with a token that may read it)"
    )
    assert weights_for("Qwen/Qwen3-8B", OPTIONS, token=False).from_hub


def test_a_repository_is_downloaded_once_and_without_second_formats(machine: Machine) -> None:
    step, folder = fetch("Qwen/Qwen3-8B")
    assert step.phase == "downloading weights"
    for _ in range(2):
        assert machine.run(step).returncode == 0
    (call,) = machine.calls()
    there = folder.replace("{home}", str(machine.home))
    assert call.startswith(f"download Qwen/Qwen3-8B --local-dir {there} --quiet --exclude ")
    assert call.endswith("--exclude original/*")
    assert (Path(there) / "model.safetensors").exists()


@pytest.mark.parametrize("cache", ["", "s3://ours/cache"])
def test_a_fetch_tells_how_many_bytes_it_brought(machine: Machine, cache: str) -> None:
    step, folder = fetch("Qwen/Qwen3-8B", cache=cache)
    told = machine.home / "told"
    for least in (8, 0):
        assert machine.run(step, BOUTED_BROUGHT=str(told)).returncode == 0
        brought = int(told.read_text())
        assert least <= brought <= least * 10_000, "the files, and what folders take"
    if cache:
        shutil.rmtree(folder.replace("{home}", str(machine.home)))
        assert machine.run(step, BOUTED_BROUGHT=str(told)).returncode == 0
        assert int(told.read_text()) >= 8, "from the bucket"


def test_what_was_cut_off_is_not_counted_twice(machine: Machine) -> None:
    step, folder = fetch("Qwen/Qwen3-8B")
    there = Path(folder.replace("{home}", str(machine.home)))
    there.mkdir(parents=True)
    (there / "part").write_bytes(bytes(50_000))
    assert machine.run(step, BOUTED_BROUGHT=str(machine.home / "told")).returncode == 0
    assert int((machine.home / "told").read_text()) < 50_000


def test_replicas_that_start_together_download_once(machine: Machine) -> None:
    step, _ = fetch("Qwen/Qwen3-8B")
    both = [subprocess.Popen(machine.command(step), env=machine.env) for _ in range(2)]
    assert [one.wait(30) for one in both] == [0, 0]
    assert len(machine.calls()) == 1


@pytest.mark.parametrize(("token", "hint"), [("", True), ("hush", False)])
def test_a_download_that_fails_says_why_and_is_tried_anew(machine: Machine, token: str, hint: bool) -> None:
    step, _ = fetch("Qwen/Qwen3-8B")
    (machine.buckets / "hub-is-down").touch()
    failed = machine.run(step, **({"HF_TOKEN": token} if token else {}))
    assert failed.returncode == 1
    assert "401 Client Error" in failed.stderr
    assert ("hf_token_file" in failed.stderr) is hint
    (machine.buckets / "hub-is-down").unlink()
    assert machine.run(step).returncode == 0


def test_a_machine_without_the_download_tool_says_so(machine: Machine) -> None:
    step, _ = fetch("Qwen/Qwen3-8B")
    failed = machine.run(step, PATH="/usr/bin:/bin")
    assert (failed.returncode, failed.stderr) == (
        1, "hf is not on this machine: it comes with huggingface_hub\n",
    )  # fmt: skip


@pytest.mark.parametrize(("scheme", "tool"), [("s3", "aws"), ("gs", "gcloud")])
def test_a_machine_without_the_buckets_tool_says_so(
    machine: Machine, tmp_path: Path, scheme: str, tool: str
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("mkdir", "flock", "du", "cut"):
        (bare / name).symlink_to(shutil.which(name) or name)
    step, _ = fetch(f"{scheme}://ours/llama")
    failed = machine.run(step, PATH=str(bare))
    assert (failed.returncode, failed.stderr) == (1, f"{tool} is not on this machine\n")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_is_copied_once(machine: Machine, scheme: str) -> None:
    (machine.buckets / "ours" / "llama").mkdir(parents=True)
    (machine.buckets / "ours" / "llama" / "config.json").write_text("{}")
    step, folder = fetch(f"{scheme}://ours/llama")
    for _ in range(2):
        assert machine.run(step).returncode == 0
    assert len(machine.calls()) == 1
    assert folder == "{home}/.bouted/weights/ours/llama"
    assert (machine.home / ".bouted/weights/ours/llama/config.json").exists()


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_the_first_download_fills_the_bucket_and_later_machines_take_it_from_there(
    machine: Machine, scheme: str
) -> None:
    step, folder = fetch("Qwen/Qwen3-8B", cache=f"{scheme}://ours/cache")
    assert machine.run(step).returncode == 0
    kept = machine.buckets / "ours/cache/Qwen/Qwen3-8B"
    assert sorted(path.name for path in kept.iterdir()) == [".complete", "model.safetensors"]
    shutil.rmtree(machine.home / ".bouted")
    (machine.buckets / "hub-is-down").touch()
    assert machine.run(step).returncode == 0
    assert (Path(folder.replace("{home}", str(machine.home))) / "model.safetensors").exists()


def test_a_bucket_that_cannot_be_written_does_not_stop_the_start(machine: Machine) -> None:
    step, _ = fetch("Qwen/Qwen3-8B", cache="s3://ours/cache")
    (machine.buckets / "ours").write_text("no folder")
    done = machine.run(step)
    assert done.returncode == 0
    assert "s3://ours/cache/Qwen/Qwen3-8B could not be filled" in done.stderr


def test_a_disk_near_the_machine_keeps_the_weights(machine: Machine, tmp_path: Path) -> None:
    step, folder = fetch("Qwen/Qwen3-8B", cache=str(tmp_path / "disk"))
    assert folder == str(tmp_path / "disk/Qwen/Qwen3-8B")
    assert machine.run(step).returncode == 0
    assert (Path(folder) / ".complete").exists()


@pytest.fixture
def s3() -> Iterator[str]:
    """A real S3 API with one empty bucket, `ours`."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket="ours")
        yield url
    finally:
        server.stop()


def test_the_real_aws_command_fills_and_reads_a_real_bucket(machine: Machine, s3: str) -> None:
    venv = Path(sys.executable).parent
    if not (venv / "aws").exists():
        pytest.skip("the aws command is not installed beside this Python")
    step, folder = fetch("Qwen/Qwen3-8B", cache="s3://ours/cache")
    path = machine.env["PATH"].split(":")[0]
    (Path(path) / "aws").unlink()
    env = {
        "PATH": f"{path}:{venv}:/usr/bin:/bin", "AWS_ENDPOINT_URL": s3, "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    first = machine.run(step, **env)
    assert (first.returncode, first.stderr) == (0, "")
    shutil.rmtree(machine.home / ".bouted")
    (machine.buckets / "hub-is-down").touch()
    second = machine.run(step, **env)
    assert (second.returncode, second.stderr) == (0, "")
    there = Path(folder.replace("{home}", str(machine.home)))
    assert sorted(path.name for path in there.iterdir()) == [".complete", "model.safetensors"]
