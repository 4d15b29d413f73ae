"""Drawn positions next to real ones: LMC Cepheids of OGLE, RR Lyrae of Catalina South; colour-magnitude diagram of the
typical parameters.

Usage: python benchmarks/sky.py [--data FOLDER] [--figures FOLDER]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from lcgen.catalog import read_ogle_cepf, read_ogle_ident, read_physical_parameters
from lcgen.observe.atmosphere import colour as atmosphere_colour
from lcgen.population.typical import N_UNIFORMS, typical
from lcgen.rng import uniforms
from lcgen.sky import Circle, DecBand, RowGrid, SmoothDust, VisitFootprint, draw_positions

LMC = (80.4, -69.6)


def offsets(ra: Any, dec: Any) -> tuple[Any, Any]:
    """Degrees to the east and to the north of the LMC's centre, on the tangent plane."""
    a, d, d0 = np.radians(np.asarray(ra) - LMC[0]), np.radians(dec), np.radians(LMC[1])
    cos = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a)
    x = np.cos(d) * np.sin(a) / cos
    y = (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a)) / cos
    return np.degrees(x), np.degrees(y)


def shape(x: Any, y: Any) -> str:
    """Standard deviations along the axes [deg] and the position angle of the longer."""
    width, axes = np.linalg.eigh(np.cov(x, y))
    angle = np.degrees(np.arctan2(axes[0, 1], axes[1, 1])) % 180
    return f"{np.sqrt(width[1]):.2f} x {np.sqrt(width[0]):.2f} deg at {angle:.0f} deg"


def same_area(ra: Any, dec: Any, least: int = 1) -> VisitFootprint:
    """Cells of half a degree that hold at least some of the real stars."""
    grid = RowGrid(step=0.5)
    return VisitFootprint(grid=grid, visits=np.bincount(grid.index(ra, dec), minlength=grid.size), min_visits=least)


def magellanic(data: Path, axes: Any) -> None:
    """Positions of Cepheids, real and drawn within the cells where there are real ones."""
    ident = read_ogle_ident(data / "catalogs" / "ogle4_lmc_cep_ident.dat")
    ra, dec = np.asarray(ident["ra"], dtype=float), np.asarray(ident["dec"], dtype=float)
    x, y = offsets(ra, dec)
    area = same_area(ra, dec, 2)
    drawn = draw_positions("CEP", np.arange(20_000), 1, footprint=area)
    drawn_x, drawn_y = offsets(drawn.ra, drawn.dec)
    free = draw_positions("CEP", np.arange(20_000), 1, footprint=Circle(ra=LMC[0], dec=LMC[1], radius=8.0))
    print(f"LMC Cepheids of OGLE-IV with OGLE-III counterpart: {ra.size}, {shape(x, y)}")
    print(f"drawn in the cells ({area.area:.0f} deg2) that hold two or more: {shape(drawn_x, drawn_y)}")
    print(f"drawn within 8 deg: {shape(*offsets(free.ra, free.dec))}")
    rho, drawn_rho = np.hypot(x, y), np.hypot(drawn_x, drawn_y)
    print("quartiles of the distance from the centre [deg]: real", np.percentile(rho, [25, 50, 75]).round(2), end="; ")
    print("drawn", np.percentile(drawn_rho, [25, 50, 75]).round(2))
    table = read_ogle_cepf(data / "catalogs" / "ogle3_lmc_cepF.dat")
    wesenheit = table["I"] - 1.55 * (table["V"] - table["I"])
    log_p = np.log10(table["period"])
    use = np.isfinite(wesenheit) & (log_p > 0.4)
    for _ in range(5):
        line = np.polyfit(log_p[use], wesenheit[use], 1)
        rest = wesenheit - np.polyval(line, log_p)
        use &= np.abs(rest) < 0.3
    own = 5.0 * np.log10(drawn.distance)
    print(
        f"scatter of the period-Wesenheit relation {rest[use].std():.3f} mag (with the stars' own); drawn distances "
        f"alone {own.std():.3f} mag"
    )
    pairs = ((x, y, "OGLE"), (drawn_x[: x.size], drawn_y[: x.size], "drawn"))
    for axis, (u, v, title) in zip(axes, pairs, strict=True):
        axis.plot(u, v, ".", ms=1.5)
        axis.set(title=f"LMC Cepheids, {title}", xlim=(5, -5), ylim=(-5, 5), xlabel="east [deg]", aspect="equal")


def halo(data: Path, axes: Any) -> None:
    """Magnitudes of RRab stars of Catalina South and of drawn ones in the same cells."""
    import h5py

    with h5py.File(data / "lightcurves" / "css_south_v.h5") as file:
        objects = {k: np.asarray(file[f"objects/{k}"]) for k in ("subclass", "ra", "dec", "offset")}
        mag = np.asarray(file["observations/mag"])
    rows = np.flatnonzero(np.char.startswith(objects["subclass"].astype(str), "RRab"))
    mean = np.array([np.median(mag[objects["offset"][i] : objects["offset"][i + 1]]) for i in rows])
    ra, dec = objects["ra"][rows], objects["dec"][rows]
    grid = RowGrid(step=5.0)
    area = VisitFootprint(grid=grid, visits=np.bincount(grid.index(ra, dec), minlength=grid.size))
    drawn = draw_positions("RRLYR", np.arange(60_000), 2, footprint=area, max_distance=120_000.0)
    spread = 0.6 + 0.15 * np.random.default_rng(0).normal(size=len(drawn))
    dust = 3.1 * SmoothDust().ebv(drawn.ra, drawn.dec, drawn.distance)
    apparent = spread + 5.0 * np.log10(drawn.distance) - 5.0 + dust
    own = draw_positions("RRLYR", np.arange(60_000), 2, footprint=area, components={"RRLYR": {"halo": 1.0}})
    names, counts = np.unique(drawn.component, return_counts=True)
    shares = ", ".join(f"{c} {n}" for c, n in zip(names, counts, strict=True))
    print(f"RRab of Catalina South: {rows.size} in {area.area:.0f} deg2; drawn: {shares}")
    bins = np.arange(12.5, 20.1, 0.5)
    real, _ = np.histogram(mean, bins)
    made, _ = np.histogram(apparent[np.char.startswith(drawn.component, "halo")], bins)
    made = made * real[2:8].sum() / made[2:8].sum()
    print("V         ", *(f"{b:6.2f}" for b in bins[:-1] + 0.25))
    print("Catalina  ", *(f"{n:6d}" for n in real))
    print("halo drawn", *(f"{n:6.0f}" for n in made))
    middle = bins[:-1] + 0.25
    axes[0].step(middle, real, where="mid", label="Catalina South RRab")
    axes[0].step(middle, made, where="mid", label="halo, drawn")
    axes[0].set(xlabel="V", ylabel="stars", yscale="log", title="RR Lyrae")
    axes[0].legend()
    axes[1].plot(ra, dec, ".", ms=1, label="Catalina South")
    axes[1].plot(own.ra[: rows.size], own.dec[: rows.size], ".", ms=1, label="drawn halo")
    axes[1].set(xlim=(360, 0), xlabel="ra", ylabel="dec", title="RR Lyrae")
    axes[1].legend(markerscale=8)


def diagram(data: Path, axis: Any) -> None:
    """Colour-magnitude diagram of typical parameters at the periods of Catalina South and OGLE."""
    import h5py

    from lcgen.taxonomy import canonical_subclass

    with h5py.File(data / "lightcurves" / "css_south_v.h5") as file:
        cls, sub, period = (np.asarray(file[f"objects/{k}"]) for k in ("class", "subclass", "period"))
    cls = cls.astype(str)
    sub = np.array([canonical_subclass(c, s) if c else "" for c, s in zip(cls, sub.astype(str), strict=True)])
    giants = read_physical_parameters(data / "catalogs" / "ogle3_gaiadr2_physical_parameters.csv.gz")
    for name in ("ECL", "ELL", "LPV", "DSCT", "ACEP", "T2CEP", "RRLYR"):
        own = np.flatnonzero((cls == name) & np.isfinite(period) & (period > 0))[:1500]
        made = typical(name, sub[own], period[own], uniforms(3, name, own, N_UNIFORMS))
        axis.plot(
            atmosphere_colour("V", "I", made.teff),
            made.abs_mag - atmosphere_colour("G", "V", made.teff),
            ".",
            ms=2,
            label=name,
        )
        print(
            f"{name:6} T_eff {np.percentile(made.teff, [5, 50, 95]).round(-1)}, M_G "
            f"{np.percentile(made.abs_mag, [5, 50, 95]).round(2)}, outside the periods {made.outside.mean():.3f}"
        )
    axis.set(xlabel="V - I", ylabel="M_V", ylim=(9, -5), title="typical parameters")
    axis.legend(markerscale=5)
    compare_giants(giants)


def compare_giants(table: Any) -> None:
    """Typical values next to OGLE stars of the LMC: I and V - I, freed of the mean reddening."""
    names = np.array([i.split("-")[1] for i in table["id"].tolist()])
    for cls, sub in (("ACEP", "F"), ("ACEP", "1O"), ("T2CEP", "BLHer"), ("T2CEP", "WVir"), ("T2CEP", "RVTau")):
        own = (np.asarray(table["class"]) == cls) & (np.asarray(table["subclass"]) == sub)
        rows = np.flatnonzero(own & (names == "LMC"))
        period, colour = np.asarray(table["period"])[rows], np.asarray(table["V_I"])[rows] - 0.10
        m_v = np.asarray(table["I"])[rows] + colour + 0.10 - 18.477 - 2.5 * 0.10
        made = typical(cls, sub, period, uniforms(5, cls, rows, N_UNIFORMS))
        d_v = m_v - (made.abs_mag - atmosphere_colour("G", "V", made.teff))
        d_c = colour - atmosphere_colour("V", "I", made.teff)
        print(
            f"{cls} {sub}: {rows.size} LMC stars; real - typical M_V: median {np.median(d_v):+.2f}, half of 16-84 %: "
            f"{np.diff(np.percentile(d_v, [16, 84]))[0] / 2:.2f}; V-I: {np.median(d_c):+.3f}, "
            f"{np.diff(np.percentile(d_c, [16, 84]))[0] / 2:.3f}"
        )


def speed() -> None:
    """Seconds for 100,000 positions in a declination band, tables included."""
    start = time.perf_counter()
    draw_positions("RRLYR", np.arange(100_000), 1, footprint=DecBand())
    print(f"100,000 RR Lyrae in a band of declination, tables included: {time.perf_counter() - start:.1f} s")


def main() -> None:
    """Print the numbers of docs/sky.md and draw the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LCGEN_DATA", "../shared/data")))
    parser.add_argument("--figures", type=Path)
    arguments = parser.parse_args()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(15, 9))
    magellanic(arguments.data, axes[0, :2])
    halo(arguments.data, axes[1, :2])
    diagram(arguments.data, axes[0, 2])
    axes[1, 2].axis("off")
    speed()
    if arguments.figures:
        arguments.figures.mkdir(parents=True, exist_ok=True)
        figure.tight_layout()
        figure.savefig(arguments.figures / "sky.png", dpi=80)


if __name__ == "__main__":
    main()
