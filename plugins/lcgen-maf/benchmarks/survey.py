"""All metrics over a ten-year survey, and the same stars one call a curve, in one run.

    python benchmarks/survey.py OPSIM.db --points 200 --n 100 --output survey.json

``benchmarks/synthetic_opsim.py`` of lcgen makes a synthetic schedule of two million visits where there is no real one.
Times are wall-clock seconds of this process; limit the threads of BLAS to the cores that are to be used
(``OMP_NUM_THREADS=2``).
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import rubin_sim.maf as maf

from lcgen import load_generator
from lcgen_maf import Columns, StarSample, make_bundles
from lcgen_maf.field import field_of
from lcgen_maf.slices import SliceVisits


def points_of(path: Path, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions [deg] that are visited: those of randomly chosen visits, moved by up to a degree."""
    random = np.random.default_rng(seed)
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
        rows = base.execute("SELECT max(rowid) FROM observations").fetchone()[0]
        picked = ",".join(str(k) for k in random.choice(rows, n, replace=False) + 1)
        found = np.array(
            base.execute(f"SELECT fieldRA, fieldDec FROM observations WHERE rowid IN ({picked})").fetchall()
        )
    return (found[:, 0] + random.uniform(-1, 1, n)) % 360.0, found[:, 1] + random.uniform(-1, 1, n)


def bridge(generator: Any, sample: StarSample, visits: SliceVisits, n: int) -> float:
    """Seconds a curve of one call a curve: parameters of a star in, its light curve out."""
    names = sample.names
    begin = time.perf_counter()
    for k in range(n):
        generator.sample(names[k % len(names)], {"mean_mag": 18.0}, visits.visits, seed=k, noise="lsst")
    return (time.perf_counter() - begin) / n


def batched(sample: StarSample, visits: SliceVisits, k: int) -> float:
    """Seconds a curve where all stars of a slice point are drawn, decoded and observed together."""
    # other visits for each k: nothing is remembered from the last time, and a fresh sample has other stars
    moved = SliceVisits(mjd=visits.mjd + 1e-6 * k, bands=visits.bands, band=visits.band, depth5=visits.depth5)
    begin = time.perf_counter()
    field = field_of(sample, moved, {})
    return (time.perf_counter() - begin) / sum(len(c) for c in field.classes.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("opsim", type=Path)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--n", type=int, default=100, help="stars of each of eight classes at a slice point")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()

    ra, dec = points_of(args.opsim, args.points, args.seed)
    with sqlite3.connect(f"file:{args.opsim}?mode=ro", uri=True) as base:
        names = [row[1] for row in base.execute("PRAGMA table_info(observations)")]
        start = base.execute("SELECT min(observationStartMJD) FROM observations").fetchone()[0]
    sample = StarSample(n=args.n, mean_mag=(17.0, 24.0), seed=args.seed)
    slicer = maf.UserPointsSlicer(ra, dec, use_camera=False, verbose=False)
    every = make_bundles(sample, slicer, start=start, columns=Columns.of(names), run_name=args.opsim.stem)
    spent: dict[str, float] = {}
    for name, bundle in every.items():

        def timed(data: Any, slice_point: Any = None, name: str = name, run: Any = bundle.metric.run) -> Any:
            begin = time.perf_counter()
            value = run(data, slice_point=slice_point)
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - begin
            return value

        bundle.metric.run = timed
    with tempfile.TemporaryDirectory() as folder:
        group = maf.MetricBundleGroup(every, str(args.opsim), out_dir=folder, save_early=False)
        begin = time.perf_counter()
        group.run_all()
        total = time.perf_counter() - begin
    out: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "points": args.points,
        "stars_a_point": args.n * len(sample.names),
        "seconds": round(total, 1),
        "seconds_in_metrics": {k: round(v, 1) for k, v in spent.items()},
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "mean": {},
    }
    for name, bundle in group.bundle_dict.items():
        if bundle.metric.metric_dtype == "float":
            out["mean"][name] = None if bundle.summary_values is None else bundle.summary_values.get("Mean")
    # the ratio, on the visits of one slice point, in alternation
    fresh = sample.with_options(fresh=True)
    data = maf.get_sim_data(
        str(args.opsim), None, [*vars(Columns.of(names)).values(), "fieldRA", "fieldDec", "rotSkyPos"]
    )
    slicer.setup_slicer(data)
    visits = SliceVisits.of(data[slicer[0]["idxs"]], Columns.of(names))
    if visits is None:
        raise SystemExit("the first slice point has no visits")
    generator = load_generator()
    rounds = []
    for k in range(6):  # the first warms up
        rounds.append(
            (bridge(generator, sample, visits, 64), batched(fresh, visits, k + 1), batched(sample, visits, k + 1))
        )
    one, drawn, same = np.median(np.array(rounds[1:]), axis=0)
    out["visits"] = len(visits)
    out["curves_a_second"] = {
        "one a call": 1 / one,
        "batched": 1 / drawn,
        "batched, the same stars everywhere": 1 / same,
    }
    out["ratio"] = {"batched": one / drawn, "batched, the same stars everywhere": one / same}
    text = json.dumps(out, indent=1, default=float)
    print(text)
    if args.output:
        args.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
