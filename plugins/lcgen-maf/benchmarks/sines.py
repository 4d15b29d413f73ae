"""Where do sines mislead? Stars, their sines and MAF's PeriodicStarMetric on the same visits, by kind of star.

    python benchmarks/sines.py [OPSIM.db] [--stars 300] [--places 4] [--figure maf-sines.png]

Without a schedule the visits are those of lcgen's recipe ``lsst-wfd``. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcgen.cadence import OpSim, as_cadence
from lcgen.figures.style import finish
from lcgen_maf import StarSample
from lcgen_maf.sines import Criteria, compare_with_sines, periodic_star
from lcgen_maf.slices import SliceVisits

KINDS = {
    "ACEP": ("ACEP", ""),
    "CEP F": ("CEP", "F"),
    "CEP 1O": ("CEP", "1O"),
    "DSCT": ("DSCT", ""),
    "ECL EA": ("ECL", "EA"),
    "ECL EW": ("ECL", "EW"),
    "ELL": ("ELL", ""),
    "LPV": ("LPV", ""),
    "RRLYR RRab": ("RRLYR", "RRab"),
    "RRLYR RRc": ("RRLYR", "RRc"),
    "T2CEP BLHer": ("T2CEP", "BLHer"),
    "T2CEP WVir": ("T2CEP", "WVir"),
    "T2CEP RVTau": ("T2CEP", "RVTau"),
}
PLACES = ((30.0, -30.0), (200.0, -20.0), (330.0, -50.0), (120.0, -40.0), (75.0, -35.0), (160.0, -10.0))
EVERY = ("ten years", "every 4th visit", "one year")
FAINT, BRIGHT = 26.0, 18.0
EDGES = np.arange(BRIGHT, FAINT + 0.5, 1.0)
ACCURATE = 22.0  # amplitudes and months are of stars brighter than this in r
NO_LIMIT = float("inf")
CRITERIA = {
    "all": Criteria(),
    "period, amplitude": Criteria(mag_tol=NO_LIMIT),
    "period": Criteria(mag_tol=NO_LIMIT, amp_tol=NO_LIMIT),
}
WHY = ("right", "imprecise", "harmonic", "alias", "noise")
STARS, SINES, MAF = "stars", "sines", "maf"


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """All stars of a kind under one set of visits; arrays of shape (n_stars,) unless noted."""

    r: NDArray[np.float64]
    found: dict[str, NDArray[np.bool_]]
    why: dict[str, NDArray[np.str_]]
    amplitude: dict[str, NDArray[np.float64]]
    months: dict[str, NDArray[np.float64]]
    r_maf: NDArray[np.float64]
    maf: dict[str, NDArray[np.float64]]


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("schedule", nargs="?", help="an OpSim database; the recipe lsst-wfd by default")
    parser.add_argument("--stars", type=int, default=300, help="of each kind at each place (default 300)")
    parser.add_argument("--maf-stars", type=int, default=200, help="of these, for PeriodicStarMetric (default 200)")
    parser.add_argument("--places", type=int, default=4, choices=range(1, len(PLACES) + 1))
    parser.add_argument("--method", default="aliases", choices=("aliases", "full"), help="of the period search")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--figure", help="picture to write")
    args = parser.parse_args()
    start = time.perf_counter()
    places = list(visits_of(args.schedule, args.places))
    results = {kind: run_kind(kind, places, args) for kind in args.kinds}
    print_tables(results, places)
    if args.figure:
        draw(results, args.figure)
    print(f"\n{time.perf_counter() - start:.0f} s")


def visits_of(schedule: str | None, n: int) -> Iterator[dict[str, SliceVisits]]:
    """The visits at each place, and fewer of them."""
    for k, (ra, dec) in enumerate(PLACES[:n]):
        cadence = OpSim(schedule).at(ra, dec) if schedule else as_cadence("lsst-wfd")
        visits = cadence.visits(seed=k)
        rows = np.argsort(visits.mjd)
        mjd, band, depth = visits.mjd[rows], np.asarray(visits.band)[rows], np.asarray(visits.depth5)[rows]
        year = mjd < mjd[0] + 365.25
        chosen = zip(EVERY, (slice(None), slice(None, None, 4), year), strict=True)
        yield {name: _made(mjd[part], band[part], depth[part]) for name, part in chosen}


def _made(mjd: NDArray, band: NDArray, depth: NDArray) -> SliceVisits:
    visits = SliceVisits.of_arrays(mjd, band, depth)
    if visits is None:
        raise SystemExit("a place without visits")
    return visits


def run_kind(kind: str, places: Sequence[dict[str, SliceVisits]], args: argparse.Namespace) -> dict[str, Result]:
    """Stars of a kind, other ones at each place and under each set of visits, evenly spread in mean r magnitude."""
    name, subclass = KINDS[kind]
    params = {"subclass": subclass} if subclass else {}
    colour = (
        StarSample(classes=name, params=params, mean_mag=20.0, n=200, seed=1).stars[name].mean_magnitude("r") - 20.0
    )
    red = float(np.median(colour))
    sample = StarSample(
        classes=name,
        params=params,
        mean_mag=(BRIGHT - red, FAINT - red),
        n=args.stars,
        seed=2,
        fresh=True,
        method=args.method,
    )
    return {every: _joined([_at(sample, place[every], every, args) for place in places]) for every in EVERY}


def _at(sample: StarSample, visits: SliceVisits, every: str, args: argparse.Namespace) -> Result:
    (pair,) = compare_with_sines(sample, visits).values()
    both = {STARS: pair.stars, SINES: pair.sines}
    some = pair.stars.stars[: args.maf_stars]
    months: dict[str, NDArray[np.float64]] = {what: np.empty(0) for what in both}
    if every == EVERY[0] and args.method == "aliases":
        months = {what: field.months_to_period(visits.mjd[0], 0.5) for what, field in both.items()}
    return Result(
        r=pair.mean_mag("r"),
        found={what: field.found.recovered for what, field in both.items()},
        why={what: _why(field.found) for what, field in both.items()},
        amplitude={what: field.sizes("r", "true")[0] / field.true_sizes("r")[0] - 1.0 for what, field in both.items()},
        months=months,
        r_maf=some.mean_magnitude("r"),
        maf={word: periodic_star(some, visits, seed=3, criteria=criteria) for word, criteria in CRITERIA.items()},
    )


def _why(found: Any) -> NDArray[np.str_]:
    """What was found of each star."""
    ratio = found.ratio
    words = np.where(ratio == 0, "alias", np.where(ratio > 0, "harmonic", "noise"))
    return np.where(found.recovered, "right", np.where(ratio == 1, "imprecise", words))


def _joined(parts: Sequence[Result]) -> Result:
    def join(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], dict):
            return {key: np.concatenate([v[key] for v in values]) for key in values[0]}
        return np.concatenate(values)

    return Result(**{name: join(name) for name in Result.__dataclass_fields__})


# ---------------------------------------------------------------------- numbers
def share(values: NDArray, r: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and binomial error between the ends of the range of r magnitudes."""
    inside = values[(r >= BRIGHT) & (r < FAINT)].astype(float)
    p = float(inside.mean())
    return p, float(np.sqrt(p * (1.0 - p) / inside.size))


def gain(result: Result) -> tuple[float, float]:
    """Share of the sines minus share of the stars, paired, with its error."""
    inside = (result.r >= BRIGHT) & (result.r < FAINT)
    difference = result.found[SINES][inside].astype(float) - result.found[STARS][inside]
    return float(difference.mean()), float(difference.std() / np.sqrt(difference.size))


def amplitude_error(result: Result, what: str) -> NDArray[np.float64]:
    """Relative errors of bright stars; 16th, 50th and 84th percentile."""
    errors = result.amplitude[what][result.r < ACCURATE]
    errors = errors[np.isfinite(errors)]
    return np.percentile(errors, [16, 50, 84]) if errors.size >= 20 else np.full(3, np.nan)


def months(result: Result, what: str, quantile: float = 0.5) -> float:
    """The month from which on the periods of a share of the bright stars are known."""
    values = np.sort(result.months[what][result.r < ACCURATE])
    return float(values[int(np.ceil(quantile * values.size)) - 1]) if values.size else float("nan")


def print_tables(results: dict[str, dict[str, Result]], places: Sequence[dict[str, SliceVisits]]) -> None:
    """All tables, in Markdown."""
    counts = {every: round(float(np.mean([len(place[every]) for place in places]))) for every in EVERY}
    print(f"visits a place (mean): {counts}\n\nPeriods recovered, r {BRIGHT:g} to {FAINT:g}")
    print("| |" + "".join(f" {every}: stars | sines minus stars | PeriodicStarMetric |" for every in EVERY))
    print("|---|" + "---|---|---|" * len(EVERY))
    for kind, of in results.items():
        cells = []
        for every in EVERY:
            one = of[every]
            p, e = gain(one)
            cells += [f"{share(one.found[STARS], one.r)[0]:.2f}", f"{p:+.3f} ± {e:.3f}"]
            cells += [f"{share(one.maf['all'], one.r_maf)[0]:.2f}"]
        print(f"| {kind} | " + " | ".join(cells) + " |")
    print(
        f"\nAmplitude error in r [%] (16, 50, 84 %), months to period, r < {ACCURATE:g}; PeriodicStarMetric's criteria"
    )
    print(
        "| | stars, one year | sines, one year | stars, ten years | sines, ten years | months stars | sines |"
        " one year: period alone | and amplitude | all |"
    )
    print("|---|" + "---|" * 9)
    for kind, of in results.items():
        cells = [_percent(amplitude_error(of[every], what)) for every in EVERY[::-2] for what in (STARS, SINES)]
        cells += [f"{months(of[EVERY[0]], what):.1f}" for what in (STARS, SINES)]
        year = of[EVERY[2]]
        cells += [f"{share(year.maf[word], year.r_maf)[0]:.2f}" for word in ("period", "period, amplitude", "all")]
        print(f"| {kind} | " + " | ".join(cells) + " |")
    for every in EVERY:
        print(f"\nWhat is found of stars / sines [%], {every}, r < {ACCURATE:g}")
        print("| | " + " | ".join(WHY) + " |\n|---|" + "---|" * len(WHY))
        for kind, of in results.items():
            bright = of[every].r < ACCURATE
            cells = [
                " / ".join(f"{100 * np.mean(of[every].why[what][bright] == word):.0f}" for what in (STARS, SINES))
                for word in WHY
            ]
            print(f"| {kind} | " + " | ".join(cells) + " |")


def _percent(values: NDArray[np.float64]) -> str:
    low, middle, high = 100.0 * values
    return f"{middle:+.1f} ({low:+.0f}, {high:+.0f})"


# ---------------------------------------------------------------------- figure
TOO_MUCH, TOO_LITTLE, MAF_COLOUR = "#D55E00", "#0072B2", "#009E73"
NOT_SHOWN = ("T2CEP RVTau",)


def draw(results: dict[str, dict[str, Result]], path: str) -> None:
    """The picture of the documentation."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = {kind: of for kind, of in results.items() if kind not in NOT_SHOWN}
    figure = plt.figure(figsize=(10.0, 10.6), dpi=130)
    grid = figure.add_gridspec(3, 4, left=0.065, right=0.985, top=0.895, bottom=0.39, hspace=0.26, wspace=0.08)
    panels = np.ravel(grid.subplots(sharex=True, sharey=True))  # type: ignore[arg-type]
    figure.suptitle(
        "Periods found of stars (solid) and of their sines (dashed), at the same visits", fontsize=11, y=0.99
    )
    for axes, (kind, of) in zip(panels, shown.items(), strict=False):
        for every in (EVERY[2], EVERY[0]):
            _recovery(axes, of[every], one_year=every == EVERY[2])
        finish(axes, title=kind)
        axes.title.set_fontweight("bold")
    _legend(figure)
    for axes in panels[8:]:
        axes.set_xlabel("mean r [mag]", fontsize=8)
    for axes in panels[::4]:
        axes.set_ylabel("share of periods found", fontsize=8)
    panels[0].set(xlim=(BRIGHT, FAINT), ylim=(-0.03, 1.05), xticks=np.arange(BRIGHT, FAINT, 2.0))
    bottom = figure.add_gridspec(1, 2, left=0.075, right=0.985, top=0.31, bottom=0.06, wspace=0.17)
    left, right = np.ravel(bottom.subplots())  # type: ignore[arg-type]
    _amplitudes(left, shown)
    _months(right, shown)
    figure.savefig(path)
    plt.close(figure)


def _recovery(axes: Any, result: Result, *, one_year: bool) -> None:
    middle = 0.5 * (EDGES[1:] + EDGES[:-1])
    lines = {what: _binned(result.found[what], result.r) for what in (STARS, SINES)}
    stars, sines = lines[STARS][0], lines[SINES][0]
    axes.fill_between(middle, stars, sines, where=sines >= stars, interpolate=True, color=TOO_MUCH, alpha=0.35, lw=0)
    axes.fill_between(middle, stars, sines, where=sines <= stars, interpolate=True, color=TOO_LITTLE, alpha=0.35, lw=0)
    width = 0.9 if one_year else 2.2
    axes.errorbar(middle, *lines[STARS], color="black", lw=width, elinewidth=0.8)
    axes.errorbar(middle, *lines[SINES], color="black", lw=width, elinewidth=0.8, ls=(0, (3, 1.5)))
    values, _ = _binned(result.maf["all"], result.r_maf)
    axes.plot(middle, values, color=MAF_COLOUR, lw=width, ls=":", marker="^" if one_year else "s", ms=3)


def _binned(values: NDArray, r: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share in each bin of magnitude, and its binomial error; NaN where there are fewer than 20 stars."""
    which = np.digitize(r, EDGES) - 1
    p, e = np.full((2, EDGES.size - 1), np.nan)
    for k in range(p.size):
        inside = values[which == k].astype(float)
        if inside.size >= 20:
            p[k] = inside.mean()
            # with one more success and failure, so that the error of none and of all is not zero
            q = (inside.sum() + 1.0) / (inside.size + 2.0)
            e[k] = np.sqrt(q * (1.0 - q) / inside.size)
    return p, e


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    dashed = (0, (3, 1.5))
    handles = [
        Line2D([], [], color="black", lw=1.4, label="stars: their own curves"),
        Line2D([], [], color="black", lw=1.4, ls=dashed, label="sines of these stars"),
        Patch(color=TOO_MUCH, alpha=0.4, label="sines promise too much"),
        Patch(color=TOO_LITTLE, alpha=0.4, label="sines promise too little"),
        Line2D([], [], color="black", lw=2.2, label="thick: ten years of visits"),
        Line2D([], [], color="black", lw=0.9, label="thin: the first year alone"),
        Line2D([], [], color=MAF_COLOUR, lw=1.8, ls=":", marker="s", ms=4, label="PeriodicStarMetric, ten years"),
        Line2D([], [], color=MAF_COLOUR, lw=1.0, ls=":", marker="^", ms=4, label="PeriodicStarMetric, one year"),
    ]
    figure.legend(
        handles=handles,
        fontsize=8,
        frameon=False,
        loc="upper center",
        ncols=4,
        bbox_to_anchor=(0.52, 0.97),
        handlelength=2.6,
    )


def _amplitudes(axes: Any, results: dict[str, dict[str, Result]]) -> None:
    for k, of in enumerate(results.values()):
        for what, step, filled in ((STARS, -0.16, "full"), (SINES, 0.16, "none")):
            low, middle, high = 100.0 * amplitude_error(of[EVERY[2]], what)
            bar = [[middle - low], [high - middle]]
            axes.errorbar(k + step, middle, bar, marker="o", fillstyle=filled, color="black", ms=5, lw=1.2)
    axes.axhline(0.0, color="0.5", lw=0.8)
    finish(
        axes,
        y="error of the amplitude in r [%]",
        title=f"Amplitudes after one year, r < {ACCURATE:g}; bars: 16 to 84 %",
    )
    _names(axes, results)


def _months(axes: Any, results: dict[str, dict[str, Result]]) -> None:
    from lcgen.figures.style import plain_log

    for k, of in enumerate(results.values()):
        star, sine = (months(of[EVERY[0]], what) for what in (STARS, SINES))
        if not np.isfinite([star, sine]).all():
            continue
        axes.plot([k, k], [star, sine], color=TOO_MUCH if star > sine else TOO_LITTLE, lw=5, alpha=0.35)
        axes.plot(k, star, "o", color="black", ms=5, label="stars" if k == 0 else None)
        axes.plot(k, sine, "o", color="black", ms=8, fillstyle="none", label="sines" if k == 0 else None)
    axes.set_yscale("log")
    plain_log(axes.yaxis, [1, 2, 5, 10, 20, 50, 100])
    axes.legend(fontsize=7.5, loc="upper left")
    finish(axes, y="months", title=f"Months until half of the periods are known, r < {ACCURATE:g}")
    _names(axes, results)


def _names(axes: Any, results: dict[str, dict[str, Result]]) -> None:
    axes.set_xticks(
        range(len(results)),
        [kind.split()[-1] if kind[:3] in ("RRL", "ECL", "T2C") else kind for kind in results],
        rotation=40,
        ha="right",
    )
    axes.grid(axis="x", alpha=0.0)


if __name__ == "__main__":
    main()
