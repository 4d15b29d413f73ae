"""RR Lyrae and Cepheids where they are on the sky: whose periods does a survey know after a year?

    python population.py [baseline.db] [--stars 300] [--years 1] [--figure population.png] [--camera]

Without a schedule it makes a small one in a temporary folder: the cadence ``lsst-wfd`` of lcgen over the southern sky.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import matplotlib as mpl
import numpy as np
from rubin_sim.maf.db import ResultsDb
from rubin_sim.maf.metric_bundles import MetricBundleGroup
from rubin_sim.maf.plots import BaseSkyMap

from lcgen.cadence import as_cadence
from lcgen.sky import from_schedule
from lcgen_maf import (
    Columns,
    DetectionMetric,
    MonthsToPeriodMetric,
    PeriodRecoveryMetric,
    PopulationSlicer,
    StarPopulation,
    make_bundle,
)

NAMES = ("fieldRA", "fieldDec", "rotSkyPos", "observationStartMJD", "fiveSigmaDepth", "band")


def small_schedule(path: Path, years: float) -> None:
    """A schedule in the schema of Rubin's simulators: fields 4 degrees apart, with the nights of one of 24 fields."""
    nights = [as_cadence("lsst-wfd").visits(seed=seed) for seed in range(24)]
    start = min(visits.mjd.min() for visits in nights)
    early = [visits.mjd < start + 365.25 * years for visits in nights]
    rows = [
        list(zip(v.mjd[e].tolist(), v.depth5[e].tolist(), v.band[e].tolist(), strict=True))
        for v, e in zip(nights, early, strict=True)
    ]
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"CREATE TABLE observations ({', '.join(NAMES)})")
        number = 0
        for dec in np.arange(-74.0, 6.0, 4.0):
            for ra in np.arange(0.0, 359.0, 4.0 / np.cos(np.radians(dec))):
                field = [(float(ra), float(dec), 0.0, *row) for row in rows[number % len(rows)]]
                db.executemany("INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?)", field)
                number += 1
        db.commit()


def columns_of(path: Path) -> tuple[Columns, float]:
    """Names of the columns, and the start of the survey [MJD]."""
    with closing(sqlite3.connect(path)) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(observations)")]
        (start,) = db.execute("SELECT min(observationStartMJD) FROM observations").fetchone()
    return Columns.of(names), start


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("schedule", nargs="?", type=Path)
    parser.add_argument("--stars", type=int, default=300, help="stars of each class")
    parser.add_argument("--years", type=float, default=1.0, help="from the start of the survey")
    parser.add_argument("--figure", type=Path, default=Path("population.png"))
    parser.add_argument("--camera", action="store_true", help="Rubin's camera with its gaps; needs rubin_sim_data")
    options = parser.parse_args()
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with tempfile.TemporaryDirectory() as folder:
        schedule = options.schedule or Path(folder) / "small.db"
        if options.schedule is None:
            small_schedule(schedule, options.years)
        columns, start = columns_of(schedule)
        stars = StarPopulation(
            n={"RRLYR": options.stars, "CEP": options.stars},
            sky=from_schedule(schedule, min_visits=30),
            mag_limits=(15.0, 24.5),
            seed=1,
        )
        slicer = PopulationSlicer(stars, use_camera=options.camera)
        metrics = [
            DetectionMetric(stars, columns=columns),
            PeriodRecoveryMetric(stars, columns=columns),
            MonthsToPeriodMetric(stars, start=start, columns=columns),
        ]
        bundles = {
            metric.name: make_bundle(
                metric,
                slicer,
                run_name=schedule.stem,
                constraint=f"observationStartMJD < {start + 365.25 * options.years}",
                info_label=f"first {options.years:g} yr",
            )
            for metric in metrics
        }
        group = MetricBundleGroup(
            bundles, str(schedule), out_dir=folder, results_db=ResultsDb(out_dir=folder), verbose=False
        )
        group.run_all()

    print(f"{'class':<8}{'stars':>7}{'visited':>9}{'detected':>10}{'periods':>9}{'months until known':>20}")
    for name in stars.names:
        found = {metric.name: group.bundle_dict[f"{metric.name}_{name}"] for metric in metrics}
        visited = found["Detection"].metric_values.count()
        share = [found[m].summary_values["Mean"] for m in ("Detection", "PeriodRecovery")]
        months = found["MonthsToPeriod"].summary_values["Median"]
        print(f"{name:<8}{options.stars:>7}{visited:>9}{share[0]:>10.1%}{share[1]:>9.1%}{months:>20.1f}")

    recovered = group.bundle_dict["PeriodRecovery_mean"]
    title = f"Periods of RR Lyrae and Cepheids after {options.years:g} yr"
    recovered.set_plot_dict({"radius": np.radians(1.2), "title": title})
    recovered.set_plot_funcs([BaseSkyMap()])
    recovered.plot()["SkyMap"].savefig(options.figure, dpi=120, bbox_inches="tight")
    plt.close("all")
    print(f"figure: {options.figure}")


if __name__ == "__main__":
    main()
