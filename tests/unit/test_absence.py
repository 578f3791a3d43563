"""What a list lacks is believed gone after two looks and some time; a list that lacks all, much later."""

from datetime import timedelta

import pytest

from bouted.reconcile.absence import ALL_FACTOR, Absence
from bouted.testing.fleet import START

NAMES = frozenset({"a", "b", "c", "d"})


def looked(*looks: tuple[float, str], names: frozenset[str] = NAMES) -> Absence:
    """The absence after looks at these seconds that listed these letters."""
    absence = Absence()
    for at_s, listed in looks:
        absence = absence.after(names, frozenset(listed), START + timedelta(seconds=at_s))
    return absence


@pytest.mark.parametrize(
    ("what", "looks", "gone"),
    [
        ("one look says nothing", [(0, "abc")], ""),
        ("two looks at once say nothing", [(0, "abc"), (1, "abc")], ""),
        ("two looks some time apart are enough", [(0, "abc"), (6, "abc")], "d"),
        ("a name that came back is not gone", [(0, "abc"), (3, "abcd"), (6, "abc")], ""),
        ("each name has its own time", [(0, "abc"), (4, "ab"), (6, "ab")], "d"),
        ("a list that lacks all is not believed so soon", [(0, ""), (6, "")], ""),
        ("but in the end it is", [(0, ""), (5 * ALL_FACTOR, "")], "abcd"),
        ("a clock that is set back starts the wait again", [(100, "abc"), (0, "abc"), (4, "abc")], ""),
    ],
)
def test_absence_is_confirmed_before_it_is_believed(
    what: str, looks: list[tuple[float, str]], gone: str
) -> None:
    last_s = looks[-1][0]
    confirmed = looked(*looks).confirmed(START + timedelta(seconds=last_s), absent_s=5.0)
    assert confirmed == frozenset(gone)


def test_one_or_two_nodes_that_vanish_together_are_no_mystery() -> None:
    pair = looked((0, ""), (6, ""), names=frozenset("ab"))
    assert pair.confirmed(START + timedelta(seconds=6), absent_s=5.0) == frozenset("ab")


def test_names_that_are_not_expected_any_more_are_forgotten() -> None:
    absence = looked((0, "abc"), (6, "abc")).after(frozenset("abc"), frozenset("abc"), START)
    assert absence.missing == {}
