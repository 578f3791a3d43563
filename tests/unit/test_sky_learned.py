"""How long starts usually take is learned, and told while one is under way."""

from pathlib import Path

from bouted.providers.sky_learned import MOST, StartTimes, with_usual


def test_the_median_of_the_last_starts_of_a_kind_is_usual_and_survives_a_restart(tmp_path: Path) -> None:
    times = StartTimes(tmp_path / "sky" / "times.json")
    for number, took_s in enumerate((90.0, 110.0, 400.0)):
        times.note("aws", f"node-{number}", took_s)
    assert StartTimes(tmp_path / "sky" / "times.json").usual_s("aws") == 110.0
    assert times.usual_s("gcp") is None


def test_one_start_is_noted_once(tmp_path: Path) -> None:
    times = StartTimes(tmp_path / "times.json")
    times.note("aws", "node-1", 90.0)
    times.note("aws", "node-1", 500.0)
    assert times.usual_s("aws") == 90.0


def test_only_the_newest_starts_count(tmp_path: Path) -> None:
    times = StartTimes(tmp_path / "times.json")
    for number in range(MOST):
        times.note("aws", f"old-{number}", 10.0)
    for number in range(MOST):
        times.note("aws", f"new-{number}", 99.0)
    assert times.usual_s("aws") == 99.0


def test_a_torn_file_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / "times.json").write_text("{ torn", encoding="utf-8")
    times = StartTimes(tmp_path / "times.json")
    assert times.usual_s("aws") is None
    times.note("aws", "node-1", 90.0)
    assert times.usual_s("aws") == 90.0


def test_what_is_not_under_way_has_no_usual_time() -> None:
    assert with_usual("", 90.0) == ""
    assert with_usual("provisioning", None) == "provisioning"
    assert with_usual("provisioning", 90.2) == "provisioning (a start usually takes 90 s)"
