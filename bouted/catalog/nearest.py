"""What a name that is not known was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean a or b?` with the nearest of `known`; all of them when none is near."""
    by_fold = {other.casefold(): other for other in known}
    parts = [fold for fold in by_fold if name.casefold() in fold]
    close = parts or get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(by_fold[match] for match in close)}?"
    return f"known: {', '.join(sorted(by_fold.values()))}"
