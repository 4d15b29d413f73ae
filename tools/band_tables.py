"""Make the tables of ``lcgen.observe``: magnitudes of model atmospheres and extinction ratios, band by band.

For developers; the tables it writes are shipped, this script and what it needs are not. It needs no network::

    pip install speclite==1.0.0 pyphot==2.1.1 dust_extinction==1.7
    pip install --no-deps --target sources astroARIADNE==1.5.2 EXOSIMS==3.6.6 pytransit==2.10.1
    python tools/band_tables.py --sources sources --output src/lcgen/observe/tables

What is taken from where
    - astroARIADNE (MIT): fluxes of ATLAS9 (Castelli & Kurucz 2004, astro-ph/0405087) and BT-Settl (Allard, Homeier &
      Freytag 2012, RSPTA 370, 2765) models, averaged over the filters of pyphot.
    - EXOSIMS: the spectra of Pickles (1998, PASP 110, 863); pytransit: PHOENIX (Husser et al. 2013, A&A 553, A6) and
      BT-Settl spectra, averaged over gravity and metallicity. Both serve to convert between filters.
    - speclite: the filter curves of LSST (baseline 1.9), SDSS (Doi et al. 2010), Gaia DR3 and Bessell (1990); pyphot:
      those of ZTF and of the grids, and the spectrum of Vega (CALSPEC alpha_lyr_stis_011).
    - dust_extinction: the extinction laws.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

LIGHT = 2.99792458e18  # [angstrom/s]
# IAU 2015 nominal solar radius over 10 pc, squared: a surface flux times this is the flux of a star of one solar radius
DILUTION = (6.957e10 / 3.0856775814913673e19) ** 2
WAVELENGTH = np.arange(2900.0, 11600.0, 2.0)  # [angstrom]

# Filters of the grids that a passband may be a sum of: the narrow ones, and wide ones for Gaia's.
NARROW = (
    "STROMGREN_u", "SkyMapper_u", "SDSS_u", "GROUND_JOHNSON_U", "SkyMapper_v", "STROMGREN_v", "TYCHO_B_MvB",
    "GROUND_JOHNSON_B", "STROMGREN_b", "SDSS_g", "PS1_g", "SkyMapper_g", "GaiaDR2v2_BP", "TYCHO_V_MvB", "STROMGREN_y",
    "GROUND_JOHNSON_V", "SkyMapper_r", "SDSS_r", "PS1_r", "GROUND_COUSINS_R", "SDSS_i", "PS1_i", "SkyMapper_i",
    "GaiaDR2v2_RP", "GROUND_COUSINS_I", "PS1_z", "SDSS_z", "SkyMapper_z", "PS1_y",
)  # fmt: skip
WIDE = (
    "GaiaDR2v2_G", "KEPLER_Kp", "PS1_w", "SDSS_u", "SDSS_g", "SDSS_r", "SDSS_i", "SDSS_z", "PS1_y", "GaiaDR2v2_BP",
    "GaiaDR2v2_RP",
)  # fmt: skip
ALL_FILTERS = sorted({*NARROW, *WIDE})

# Gaia: AB minus Vega from the zero points of Riello et al. (2021, A&A 649, A3, table 4).
GAIA_OFFSETS = {"G": 0.1136, "BP": 0.0155, "RP": 0.3561}
VEGA_MAGNITUDE = 0.03  # of Vega in B, V, R and I: Bessell, Castelli & Plez (1998, A&A 333, 231)

TEFF = np.r_[np.arange(2400.0, 4000.0, 100.0), np.arange(4000.0, 12001.0, 250.0)]
LOGG = np.arange(0.0, 5.01, 0.5)
FE_H = np.array([-2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.2, 0.5])
HAND_OVER = (3500.0, 4250.0)  # from BT-Settl below to ATLAS9 above [K]

LAWS = {"CCM89": (2.0, 6.0), "O94": (2.0, 6.0), "F99": (2.0, 6.0), "F19": (2.5, 6.0), "G23": (2.3, 5.6)}
LAW_TEFF = np.array([2500.0, 3000, 3500, 4000, 4500, 5000, 6000, 7000, 8000, 10000, 12000])
LAW_A_V = np.array([0.0, 1.0, 2.0, 4.0, 7.0, 10.0])
N_R_V = 9


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Surface fluxes of a grid of models."""

    nodes: Array  # (n, 3): T_eff, log g, [Fe/H]
    flux: Array  # (n, n_filters) [erg/s/cm2/angstrom]


def passbands() -> dict[str, Array]:
    """Weights on the flux per wavelength of the bands of lcgen, on `WAVELENGTH`; each sums to one."""
    import speclite.filters

    groups = {"": ("lsst2023", "ugrizy"), "sdss_": ("sdss2010", "ugriz")}
    names = {prefix + b: f"{group}-{b}" for prefix, (group, bands) in groups.items() for b in bands}
    names |= {b: f"gaiadr3-{b}" for b in ("G", "BP", "RP")} | {b: f"bessell-{b}" for b in "BVRI"}
    out = {}
    for band, name in names.items():
        curve: Any = speclite.filters.load_filter(name)
        # The curves of Bessell (1990) are for an integration of energy, not of photons (Bessell & Murphy 2012).
        out[band] = weights(curve.wavelength, curve.response, photons=not name.startswith("bessell"))
    return out | {f"ztf_{b}": grid_filter(f"ZTF_{b}") for b in "gri"}


def grid_filter(name: str) -> Array:
    """Weights of a filter of pyphot."""
    import pyphot

    curve: Any = pyphot.get_library()[name]
    unit = 10.0 if str(curve.wavelength_unit).startswith("n") else 1.0  # nanometres or angstroms
    return weights(np.asarray(curve._wavelength) * unit, curve.transmit, photons=curve.dtype == "photon")


def weights(wavelength: Array, response: Array, *, photons: bool) -> Array:
    """Of a response per photon or per energy, weights on the flux per wavelength."""
    order = np.argsort(wavelength, kind="stable")
    out = np.interp(WAVELENGTH, np.asarray(wavelength)[order], np.asarray(response)[order], left=0.0, right=0.0)
    out = out * WAVELENGTH if photons else out
    return out / out.sum()


def ab_magnitude(flux: Array, weight: Array) -> Array:
    """AB magnitude of mean fluxes per wavelength in a passband; the pivot wavelength brings them to frequency."""
    pivot_squared = 1.0 / (weight / WAVELENGTH**2).sum()
    return -2.5 * np.log10(flux * pivot_squared / LIGHT) - 48.6


def read_grid(sources: Path, name: str) -> Grid:
    """A grid of astroARIADNE, without the models that it fills with zeros."""
    path = sources / "astroARIADNE" / "Datafiles" / "model_grids" / f"model_grid_{name}.dat"
    with path.open() as file:
        header = file.readline().lstrip("#").split()
    table = np.loadtxt(path)
    table = table[(table[:, 3:] > 0).any(axis=1)]
    # its fluxes are per micron
    return Grid(nodes=table[:, :3], flux=table[:, [header.index(n) for n in ALL_FILTERS]] * 1e-4)


def read_spectra(sources: Path) -> tuple[Array, Array]:
    """Spectra to convert with, on `WAVELENGTH`, and how much each counts."""
    from astropy.io import fits

    spectra, weight = [], []
    for path in sorted((sources / "EXOSIMS" / "TargetList" / "dat_uvk").glob("pickles_uk_*.fits")):
        kind = str(fits.getval(path, "COMMENT1")).split(":")[-1].strip()
        if kind[0] == "O" or kind[:2] in ("B0", "B1", "B2", "B3"):
            continue
        spectra.append(spectrum(path))
        weight.append(1.0)
    # BT-Settl only where there are few or no real spectra
    for name, low, high in (("avg_husser2013", 3500.0, 12000.0), ("avg_bt_settl", 2400.0, 4000.0)):
        teff, wavelength, flux = averaged(sources, name)
        for row in flux[(teff >= low) & (teff <= high)]:
            spectra.append(np.interp(WAVELENGTH, wavelength, row))
            weight.append(0.3)
    array = np.array(spectra)
    return np.maximum(array, 1e-12 * array.max(axis=1, keepdims=True)), np.array(weight)


def spectrum(path: Path) -> Array:
    """A spectrum from a table of wavelength [angstrom] and flux, on `WAVELENGTH`."""
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of malformed headers
        table = np.asarray(fits.getdata(path, 1))
    return np.interp(WAVELENGTH, table["WAVELENGTH"].astype(float), table["FLUX"].astype(float))


def averaged(sources: Path, name: str) -> tuple[Array, Array, Array]:
    """Temperatures, wavelengths [angstrom] and spectra of a file of pytransit."""
    from astropy.io import fits

    path = sources / "pytransit" / "stars" / "data" / f"{name}.fits"
    flux: Any = fits.getdata(path, 0)
    header = fits.getheader(path, 0)
    wavelength = 10.0 * (header["CRVAL1"] + np.arange(header["NAXIS1"]) * header["CDELT1"])
    teff = np.asarray(fits.getdata(path, 1)).view(">f4")
    return teff.astype(float), wavelength, np.asarray(flux, float)


def as_sum(target: Array, filters: Array, spectra: Array, weight: Array, *, likeness: float = 1.0) -> Array:
    """Coefficients of the sum of `filters` (n, n_wavelength) that measures what `target` does.

    Least squares in relative flux over the spectra; the curves' own difference (`likeness`) keeps the sum near the
    target's shape, so that it holds for spectra unlike those fitted.
    """
    flux = spectra @ target
    rows = (spectra @ filters.T) / flux[:, None] * np.sqrt(weight)[:, None]
    scale = likeness / target.max() / np.sqrt(len(target))
    matrix = np.vstack([rows, scale * filters.T, 1e-3 * np.eye(len(filters))])
    values = np.concatenate([np.sqrt(weight), scale * target, np.zeros(len(filters))])
    return np.linalg.lstsq(matrix, values, rcond=None)[0]


def chosen(band: str, target: Array, filters: dict[str, Array]) -> tuple[str, ...]:
    """The filters that a passband is written as a sum of: those that overlap with it."""
    if band == "G":
        return WIDE
    return tuple(n for n in NARROW if np.minimum(filters[n], target).sum() > 0.08)


def scatter(target: Array, used: Array, spectra: Array, weight: Array) -> float:
    """RMS [mag] of the conversion on real spectra hotter than class M that it was not fitted to, in five folds."""
    fold = np.random.default_rng(0).integers(0, 5, len(spectra))
    error = np.empty(len(spectra))
    for k in range(5):
        x = as_sum(target, used, spectra, np.where(fold == k, 0.0, weight))
        ratio = (spectra @ used.T) @ x / (spectra @ target)
        error[fold == k] = -2.5 * np.log10(np.maximum(ratio, 1e-9))[fold == k]
    # by their colour: V-I below 1.6
    red = spectra[:, np.searchsorted(WAVELENGTH, 7900)] / spectra[:, np.searchsorted(WAVELENGTH, 5500)]
    return float(np.sqrt(np.mean(error[(weight == 1.0) & (red < 1.7)] ** 2)))


def smoothed(cube: Array) -> Array:
    """Without alternation from one temperature to the next, which BT-Settl has by up to 0.2 mag (log g 4, solar).

    A binomial filter b applied as 2b - b*b: nothing remains of the alternation, and cubics pass unchanged.
    """
    from scipy.ndimage import convolve1d

    kernel = np.array([1.0, 4, 6, 4, 1]) / 16
    pad = 4
    first = 2 * cube[:1] - cube[pad:0:-1]
    last = 2 * cube[-1:] - cube[-2 : -2 - pad : -1]
    wide = np.concatenate([first, cube, last])
    once = convolve1d(wide, kernel, axis=0)
    return (2 * once - convolve1d(once, kernel, axis=0))[pad:-pad]


def on_nodes(grid: Grid, magnitudes: Array, teff: Array, *, smooth: bool) -> tuple[Array, NDArray[np.bool_]]:
    """Models brought to `teff`, `LOGG`, `FE_H`: magnitudes (n_teff, n_logg, n_fe_h, n_bands), and which exist.

    Missing models take after their neighbours: of gravities, the change with gravity at the next lower temperature
    that has models of it; of metallicities, the change with temperature of the nearest metallicity that has models.
    """
    from scipy.interpolate import PchipInterpolator

    nodes_t, nodes_z = np.unique(grid.nodes[:, 0]), np.unique(grid.nodes[:, 2])
    cube = np.full((len(nodes_t), len(LOGG), len(nodes_z), magnitudes.shape[1]), np.nan)
    keep = np.isin(grid.nodes[:, 1], LOGG)
    place = [np.searchsorted(n, grid.nodes[keep, k]) for k, n in enumerate((nodes_t, LOGG, nodes_z))]
    cube[tuple(place)] = magnitudes[keep]
    exists: NDArray[np.bool_] = np.asarray(np.isfinite(cube).all(axis=-1))
    for t, z in np.ndindex(len(nodes_t), len(nodes_z)):
        have = np.flatnonzero(exists[t, :, z])
        if len(have):
            nearest = have[np.abs(have[None, :] - np.arange(len(LOGG))[:, None]).argmin(axis=1)]
            change = cube[t - 1, :, z] - cube[t - 1, nearest, z] if t else np.zeros(cube[t, :, z].shape)
            cube[t, :, z] = cube[t, nearest, z] + np.where(np.isfinite(change), change, 0.0)
    for z in range(len(nodes_z)):
        have = np.flatnonzero(exists[:, :, z].any(axis=1))
        for t in range(have[0] - 1, -1, -1):
            others = [k for k in range(len(nodes_z)) if exists[t, :, k].any()]
            k = min(others, key=lambda k: abs(nodes_z[k] - nodes_z[z]))
            cube[t, :, z] = cube[t + 1, :, z] + cube[t, :, k] - cube[t + 1, :, k]
    cube = PchipInterpolator(nodes_t, smoothed(cube) if smooth else cube, axis=0)(teff)
    known = PchipInterpolator(nodes_t, exists.astype(float), axis=0)(teff) > 1 - 1e-6
    z = np.clip(np.searchsorted(nodes_z, FE_H, side="right") - 1, 0, len(nodes_z) - 2)
    w = (FE_H - nodes_z[z]) / (nodes_z[z + 1] - nodes_z[z])
    cube = cube[:, :, z] * (1 - w)[:, None] + cube[:, :, z + 1] * w[:, None]
    return cube, (known[:, :, z] | (w == 1)) & (known[:, :, z + 1] | (w == 0))


def atmosphere(sources: Path) -> dict[str, np.ndarray]:
    """Everything in ``atmosphere.npz``."""
    filters = {n: grid_filter(n) for n in ALL_FILTERS}
    spectra, weight = read_spectra(sources)
    bands = passbands()
    vega = vega_spectrum()
    grids = {name: read_grid(sources, name) for name in ("CK04", "BT_Settl")}
    offset, error, columns = {}, {}, {name: [] for name in grids}
    for band, target in bands.items():
        names = chosen(band, target, filters)
        used = np.array([filters[n] for n in names])
        x = as_sum(target, used, spectra, weight)
        error[band] = scatter(target, used, spectra, weight)
        offset[band] = GAIA_OFFSETS.get(band, 0.0)
        if band in "BVRI":
            offset[band] = float(ab_magnitude(vega @ target, target)) - VEGA_MAGNITUDE
        for name, grid in grids.items():
            flux = grid.flux[:, [ALL_FILTERS.index(n) for n in names]] @ x
            lowest = 1e-3 * flux[flux > 0].min()
            columns[name].append(ab_magnitude(np.maximum(flux, lowest) * DILUTION, target) - offset[band])
        report = f"sum of {len(names)} filters, rms {1e3 * error[band]:.1f} mmag, AB offset {offset[band]:+.4f} mag"
        print(f"{band}: {report}")
    cool_columns, warm_columns = (np.array(columns[name]).T for name in ("BT_Settl", "CK04"))
    cool, cool_known = on_nodes(grids["BT_Settl"], cool_columns, np.minimum(TEFF, HAND_OVER[1]), smooth=True)
    warm, warm_known = on_nodes(grids["CK04"], warm_columns, np.maximum(TEFF, HAND_OVER[0]), smooth=False)
    u = np.clip((TEFF - HAND_OVER[0]) / (HAND_OVER[1] - HAND_OVER[0]), 0, 1)
    share = (u * u * (3 - 2 * u))[:, None, None, None]
    magnitude = np.moveaxis((1 - share) * cool + share * warm, -1, 0)
    known = (cool_known | (share[..., 0] == 1)) & (warm_known | (share[..., 0] == 0))
    low, high = magnitude.min(axis=(1, 2, 3)), magnitude.max(axis=(1, 2, 3))
    step = (high - low) / 65535
    code = np.rint((magnitude - low[:, None, None, None]) / step[:, None, None, None]).astype(np.uint16)
    return {
        "band": np.array(list(bands)),
        **{"teff": TEFF, "logg": LOGG, "fe_h": FE_H, "known": known},
        **{"code": code, "low": low, "step": step},
        "ab_minus_system": np.array([offset[b] for b in bands]),
        "conversion_rms": np.array([error[b] for b in bands]),
        "sources": np.array(sources_of(sources, ["astroARIADNE", "EXOSIMS", "pytransit"], ["speclite", "pyphot"])),
    }


def vega_spectrum() -> Array:
    """The flux of Vega as observed from space (CALSPEC)."""
    with resources.as_file(resources.files("pyphot") / "libs" / "alpha_lyr_stis_011.fits") as path:
        return spectrum(path)


def sources_of(folder: Path, unpacked: list[str], installed: list[str]) -> list[str]:
    """Name and version of each package that went into a table."""
    versions = {d.metadata["Name"].lower(): d.version for d in metadata.distributions(path=[str(folder)])}
    return [f"{n} {versions[n.lower()]}" for n in unpacked] + [f"{n} {metadata.version(n)}" for n in installed]


def extinction(sources: Path) -> dict[str, np.ndarray]:
    """Everything in ``extinction.npz``: A_band / A_V, (n_laws, n_bands, n_r_v, n_teff, n_a_v)."""
    from astropy import units
    from dust_extinction import parameter_averages

    bands = passbands()
    teff, wavelength, flux = averaged(sources, "avg_husser2013")
    spectra = np.array([np.interp(WAVELENGTH, wavelength, flux[np.abs(teff - t).argmin()]) for t in LAW_TEFF])
    target = np.array(list(bands.values()))
    ratio = np.empty((len(LAWS), len(bands), N_R_V, len(LAW_TEFF), len(LAW_A_V)))
    r_v = np.array([np.linspace(low, high, N_R_V) for low, high in LAWS.values()])
    v = list(bands).index("V")
    for k, name in enumerate(LAWS):
        for j, value in enumerate(r_v[k]):
            curve = getattr(parameter_averages, name)(Rv=value)(WAVELENGTH * units.angstrom)
            flat = (spectra * curve) @ target.T / (spectra @ target.T)
            for a, a_v in enumerate(LAW_A_V):
                seen = spectra * 10 ** (-0.4 * a_v * curve)
                lost = flat if a_v == 0 else -2.5 * np.log10((seen @ target.T) / (spectra @ target.T))
                ratio[k, :, j, :, a] = (lost / lost[:, v : v + 1]).T
    return {
        "law": np.array(list(LAWS)),
        "band": np.array(list(bands)),
        **{"r_v": r_v, "teff": LAW_TEFF, "a_v": LAW_A_V},
        "code": np.rint(ratio * 1e4).astype(np.uint16),
        "sources": np.array(sources_of(sources, ["pytransit"], ["speclite", "pyphot", "dust_extinction"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", type=Path, required=True, help="folder of the unpacked packages")
    parser.add_argument("--output", type=Path, required=True, help="folder of the tables")
    chosen_options = parser.parse_args()
    chosen_options.output.mkdir(parents=True, exist_ok=True)
    for name, make in (("atmosphere", atmosphere), ("extinction", extinction)):
        path = chosen_options.output / f"{name}.npz"
        np.savez_compressed(path, allow_pickle=False, **make(chosen_options.sources))
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
