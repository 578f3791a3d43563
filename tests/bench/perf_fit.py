"""Fits the operator curves that ship in `bouted/perf/data/curves.yaml`, from operator tables alone.

    python tests/bench/perf_fit.py [--tables DIR] [--write]

`--tables` is the `systems/data` folder of aiconfigurator-core 0.12.0 (PyPI, Apache-2.0): it has the experts,
and the GPUs that the smaller tables lack. No served run is looked at; offline ones are for the MI300X.
Without `--write` the curves are only printed.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import yaml
from perf_fit_attention import decode_curves, prefill_curves
from perf_fit_experts import expert_curves
from perf_fit_gemm import gemm_curves
from perf_fit_layers import layer_curves
from perf_fit_links import kernel_curves, reduce_curves
from perf_fit_whole import whole_curves
from perf_tables import Tables

from bouted.perf.curves import Measured
from bouted.perf.curveset import Curves

OUT = Path(__file__).parents[2] / "bouted" / "perf" / "data" / "curves.yaml"
HEAD = """# Fitted coefficients of single operators, in shares of the peaks in bouted/catalog/data/gpus.yaml.
# Written by tests/bench/perf_fit.py, which says how; README.md beside this file names the sources.
# `error` is the fit's median relative error over `cells`.
"""


def fit(tables: Tables) -> Curves:
    """All curves that these tables give."""
    layers = layer_curves(tables)
    curves = Curves(
        gemm=(*gemm_curves(tables), *layers.gemm),
        experts=tuple(expert_curves(tables)),
        decode=(*decode_curves(tables), *layers.decode),
        prefill=(*prefill_curves(tables), *layers.prefill),
        reduce=(*reduce_curves(tables), *layers.reduce),
        kernels=tuple(kernel_curves(tables)),
    )
    return replace(curves, gemm=(*curves.gemm, *whole_curves(tables, curves)))


def rows(curves: Curves) -> Iterator[tuple[str, Measured]]:
    """Every curve under the name of its operator."""
    for name in ("gemm", "experts", "decode", "prefill", "reduce", "kernels"):
        for curve in getattr(curves, name):
            yield name, curve


def written(curves: Curves) -> str:
    """The file's text."""
    found: dict[str, list[dict[str, object]]] = {}
    for name, curve in rows(curves):
        entry = {key: _short(value) for key, value in asdict(curve).items()}
        found.setdefault(name, []).append(entry)
    return HEAD + yaml.safe_dump(found, sort_keys=False, width=1000, default_flow_style=None)


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return str(value) if isinstance(value, str) else value


def main() -> int:
    """Fit, and print or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    curves = fit(Tables(more=args.tables))
    for name, curve in rows(curves):
        print(f"{name:8} {curve.gpu:12} {curve.error:6.1%} {curve.cells:7d}  {curve}", file=sys.stderr)
    if args.write:
        OUT.write_text(written(curves), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
