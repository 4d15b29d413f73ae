"""RR Lyrae stars of the Galaxy and the Magellanic Clouds, as a ten-year schedule would see them.

    python rrlyrae_population.py SCHEDULE.db [--stars 1000] [--output rrlyrae.parquet] [--figure rrlyrae.png]

``SCHEDULE.db`` is an OpSim database of the Rubin Observatory's simulators, any vintage, or the synthetic one that
lcgen's ``benchmarks/synthetic_opsim.py`` makes. Places, distances, periods, shapes and dust are lcgen's; which visits
see a star, the noise and the saturation are LightCurveLynx's. One row a star goes to a nested Parquet file. No
passbands are downloaded: a model of band fluxes needs none.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from lightcurvelynx.base_models import FunctionNode
from lightcurvelynx.noise_models.base_noise_models import PoissonFluxNoiseModel
from lightcurvelynx.obstable.opsim import OpSim
from lightcurvelynx.simulate import simulate_lightcurves
from lightcurvelynx.survey_info import SurveyInfo
from nested_pandas import NestedFrame

from lcgen.sky import SmoothDust, from_schedule
from lcgen_lightcurvelynx import PeriodicStarModel, SkyPositions

NEEDED = (
    *("observationStartMJD", "fieldRA", "fieldDec", "visitExposureTime", "numExposures"),
    *("airmass", "seeingFwhmEff", "skyBrightness", "filter", "band"),
)
COLOURS = {"u": "#56B4E9", "g": "#009E73", "r": "#D55E00", "i": "#CC79A7", "z": "#E69F00", "y": "#000000"}


def read_opsim(path: Path) -> OpSim:
    """The columns of a schedule that LightCurveLynx needs, of some fifty that it has."""
    import pandas as pd

    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        present = {row[1] for row in db.execute("PRAGMA table_info(observations)")}
        columns = ", ".join(name for name in NEEDED if name in present)
        table = pd.read_sql_query(f"SELECT {columns} FROM observations", db)
    # LightCurveLynx asks for the filters of all visits once a star, which is slow where pandas stores them as text
    names = table["band" if "band" in table else "filter"]
    return OpSim(table.drop(columns="band", errors="ignore").assign(filter=names.astype(object)))


def population(opsim: OpSim, seed: int) -> PeriodicStarModel:
    """RR Lyrae stars wherever the schedule has at least a hundred visits, behind the dust of a smooth Galaxy."""
    footprint = from_schedule((opsim["ra"].to_numpy(), opsim["dec"].to_numpy()), min_visits=100, cell=1.0)
    sky = SkyPositions("RRLYR", footprint=footprint, seed=seed, node_label="sky")
    place = {name: sky.get_parameter_indicator(name) for name in ("ra", "dec", "distance")}
    dust = FunctionNode(SmoothDust().ebv, outputs=["ebv"], node_label="dust", **place)
    return PeriodicStarModel("RRLYR", e_bv=dust, seed=seed, node_label="star", **place)


def folded(results: NestedFrame, path: Path) -> None:
    """Six folded stars from bright to faint, and the errors of all measurements."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    enough = results[results["nobs"] >= 50]
    nearest = np.abs(enough["star_mean_mag"].to_numpy()[:, None] - [17.0, 18.5, 20.0, 21.5, 23.0, 24.5]).argmin(axis=0)
    shown = enough.iloc[nearest]
    figure, axes = plt.subplots(2, 4, figsize=(15, 7), layout="constrained")
    for axis, (_, star) in zip(axes[:, :3].ravel(), shown.iterrows(), strict=True):
        lc = star["lightcurve"]
        lc = lc[(lc["flux"] > 3.0 * lc["fluxerr"]) & ~lc["is_saturated"]]
        for band in "gri":
            own = lc[lc["filter"] == band]
            phase = (own["mjd"] - star["t0"]) / star["star_period"] % 1.0
            mag, err = 31.4 - 2.5 * np.log10(own["flux"]), 1.0857 * own["fluxerr"] / own["flux"]
            for cycle in (0.0, 1.0):
                axis.errorbar(phase + cycle, mag, err, fmt=".", ms=3, lw=0.6, color=COLOURS[band], label=band)
        axis.invert_yaxis()
        axis.set(
            title=f"{star['star_subclass']}, {star['star_period']:.3f} d, {star['star_distance'] / 1e3:.0f} kpc, "
            f"$\\langle V\\rangle$ = {star['star_mean_mag']:.1f}",
            xlabel="phase",
            ylabel="magnitude (AB)",
        )
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes[0, 0].legend(handles[::2], labels[::2], loc="lower right")
    from pandas import concat

    every = concat([one for one in results["lightcurve"] if one is not None])
    every = every[~every["is_saturated"] & (every["flux_perfect"] > 2.0 * every["fluxerr"])]
    mag, error = 31.4 - 2.5 * np.log10(every["flux_perfect"]), 1.0857 * every["fluxerr"] / every["flux_perfect"]
    for band, colour in COLOURS.items():
        own = np.flatnonzero(every["filter"] == band)[::5]
        axes[0, 3].plot(mag.iloc[own], error.iloc[own], ",", color=colour, label=band)
    axes[0, 3].set(yscale="log", xlabel="magnitude (AB)", ylabel="error [mag]", title="all measurements")
    faint = int((results["star_mean_mag"] > 26.0).sum())
    title = f"{len(results) - faint} stars; dust makes {faint} fainter"
    axes[1, 3].hist(results["star_mean_mag"], bins=np.arange(12.0, 26.1, 0.5), color="0.4")
    axes[1, 3].set(xlabel=r"$\langle V\rangle$", ylabel="stars", title=title)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("schedule", type=Path)
    parser.add_argument("--stars", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, help="processes; one, without a pool, where not given")
    parser.add_argument("--output", type=Path, default=Path("rrlyrae.parquet"))
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()

    start = time.perf_counter()
    opsim = read_opsim(options.schedule)
    print(f"{len(opsim):,} visits read in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    results = simulate_lightcurves(
        population(opsim, options.seed),
        options.stars,
        SurveyInfo(opsim, noise_model=PoissonFluxNoiseModel(), survey_name="none"),
        param_cols=[f"star.{name}" for name in ("subclass", "period", "amplitude", "distance", "mean_mag", "a_v")],
        rng=np.random.default_rng(options.seed),
        num_jobs=options.jobs,
        progress_bar=False,
    )
    print(f"{len(results):,} stars, {int(results['nobs'].sum()):,} measurements in {time.perf_counter() - start:.1f} s")
    temporary = options.output.with_name(f".{options.output.name}.tmp")
    results.to_parquet(temporary)
    os.replace(temporary, options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.1f} MB")
    if options.figure:
        folded(results, options.figure)
        print(options.figure)


if __name__ == "__main__":
    main()
