"""The rows of the bench that come from simulated days: violations by invariant, and planted bugs caught."""

from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing import get_context
from time import monotonic, process_time

from crash_mutations import MUTATIONS, Mutation

from bouted.testing.bench import Bench
from bouted.testing.sim.faults import script_of
from bouted.testing.sim.invariants import all_invariants
from bouted.testing.sim.run import simulate
from bouted.testing.sim.shrink import shrink, told

PROCESSES = 2
WITHIN = 200
ASIDE = ("Fenced", "LaunchesArePaced", "NoticesAreUsed", "NoBugs", "Converges", "LedgerEqualsBill")
SHOWN = 3
TOLD_EVERY = 250
CHUNKS = 16


def _broken(seed: int) -> tuple[int, str, float]:
    began = process_time()
    day = simulate(script_of(seed))
    return seed, day.violation.name if day.violation else "", process_time() - began


def lived(seeds: Iterable[int]) -> Iterator[tuple[int, str, float]]:
    """(seed, broken invariant or "", seconds) of each day, as they end."""
    with get_context("spawn").Pool(PROCESSES, maxtasksperchild=CHUNKS) as pool:  # a process grows as it lives
        yield from pool.imap_unordered(_broken, seeds, chunksize=4)


def simulation_rows(bench: Bench, seeds: int, first: int = 0) -> None:
    """One row per invariant: how many days broke it. The first few are told with their shortest trace."""
    broken: Counter[str] = Counter()
    failed: list[int] = []
    spent_s, began = 0.0, monotonic()
    for done, (seed, name, took_s) in enumerate(lived(range(first, first + seeds)), start=1):
        spent_s += took_s
        if done % TOLD_EVERY == 0:
            print(f"{done} of {seeds} days, {len(failed)} broken, {monotonic() - began:.0f} s", flush=True)
        if name:
            print(f"seed {seed} broke {name}", flush=True)
            broken[name] += 1
            failed.append(seed)
    bench.row("simulated days of 24 hours with faults", seeds, "days", 2000, "higher")
    bench.note(f"seeds {first} to {first + seeds - 1}, {monotonic() - began:.0f} s on {PROCESSES} processes")
    bench.row("processor time of one day, mean", spent_s / max(1, seeds), "s", 1.5, "lower")
    for name in (*(type(one).__name__ for one in all_invariants()), *ASIDE):
        bench.row(f"days that broke {name}", broken[name], "days", 0, "lower")
    for seed in sorted(failed)[:SHOWN]:
        bench.note(told(shrink(simulate(script_of(seed)))))


def caught(mutation: Mutation, within: int) -> tuple[int, str] | None:
    """The first seed, and the invariant, that caught a planted bug; None when none did."""
    with mutation.plant():
        for seed in range(within):
            violation = simulate(script_of(seed)).violation
            if violation is not None:
                return seed, violation.name
    return None


def _caught(number: int, within: int) -> tuple[int, str] | None:
    return caught(MUTATIONS[number], within)


def mutation_rows(bench: Bench, within: int = WITHIN) -> None:
    """Every planted bug must be caught; the table says by what and when."""
    with get_context("spawn").Pool(PROCESSES, maxtasksperchild=1) as pool:
        jobs = [(number, within) for number in range(len(MUTATIONS))]
        answers = pool.starmap(_caught, jobs, chunksize=1)
    found = 0
    for mutation, answer in zip(MUTATIONS, answers, strict=True):
        found += answer is not None
        told_by = "NOT CAUGHT" if answer is None else f"seed {answer[0]}, by {answer[1]}"
        bench.note(f"planted: {mutation.name}: {told_by}")
    bench.row("planted bugs that were caught", found, "bugs", len(MUTATIONS), "higher")
