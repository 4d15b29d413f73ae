"""The table of real stars that the population is fitted to, with the source of every value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..catalog import (
    DISTANCE_MODULI,
    StarTable,
    read_fourier_table,
    read_ogle_cepf,
    read_ogle_ident,
    read_physical_parameters,
)
from ..errors import DataError, DataFormatError
from ..taxonomy import canonical_subclass
from .relations import REDDENING, TOTAL_TO_SELECTIVE, gaia_g, gravity, teff_from_color

__all__ = ["training_table"]

_PARAMETERS = ("period", "teff", "abs_mag", "fe_h")
_RRLYR_RANGE = (-0.4, 1.5)
"""M_G outside is a foreground star or a blend [mag]."""

_SOURCES = {
    "css": "period: Catalina South (Drake et al. 2017, MNRAS 469, 3688)",
    "ogle3": "period: OGLE-III, as matched with Gaia DR2 (Martinez-Palomera et al. 2022, AJ 164, 263)",
    "ogle3-cepF": "period: OGLE-III F-mode Cepheids of the LMC (Soszynski et al. 2008, AcA 58, 163)",
    "dekany-rr": "period: RR Lyrae stars in Dekany, Grebel & Pojmanski 2021, ApJ 920, 33",
    "ogle-vi": "teff: (V-I)_0 with the mean reddening of the Cloud (Skowron et al. 2021, ApJS 252, 23), "
    "log g from the period (Fernie 1995, AJ 110, 2361), relation of Kovacs & Walker 2001, A&A 371, 579",
    "gaia-g": "abs_mag: Gaia DR2 G, distance modulus of the Cloud (LMC 18.477, SMC 18.977), extinction from "
    "the mean reddening",
    "ogle-g": "abs_mag: G from OGLE's I and V-I (Evans et al. 2018, A&A 616, A4), else as gaia-g",
    "spectroscopic": "fe_h: spectroscopic, compiled in Dekany, Grebel & Pojmanski 2021, ApJ 920, 33",
    "fourier": "fe_h: linear in period, phi31 and A2 of the I light curve, fitted to the spectroscopic stars",
}


def training_table(data_dir: str | Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Gather the stars that the population is fitted to.

    Parameters
    ----------
    data_dir : path
        Folder with ``catalogs`` and ``lightcurves``.

    Returns
    -------
    columns : dict of str to ndarray, shape (n_stars,)
        ``star_id``, ``class``, ``subclass`` (an empty string where unknown), ``weight``, ``period`` [d],
        ``teff`` [K], ``abs_mag`` [mag, Gaia G, without extinction], ``fe_h`` [dex] (NaN where unknown or not
        to be trusted), and for each of the four ``<parameter>_source``, a label explained in the text. A
        star measured by two surveys may have two rows.
    provenance : str
        The sources, what is left out, and the numbers of values by class and source.

    Notes
    -----
    Not taken over: Gaia DR2 temperatures (they follow the reddening in the bulge and stop at 10,000 K),
    parallax distances, and everything of bulge and disk stars but the period. The weights make the
    subclass fractions those of one survey: RRLYR of Catalina South, CEP of OGLE in the LMC.

    Raises
    ------
    DataError
        If a file is missing.
    DataFormatError
        If a file is malformed.
    """
    folder = Path(data_dir)
    rows = _Rows()
    css_counts = _add_css(rows, folder / "lightcurves" / "css_south_v.h5")
    _add_ogle(rows, folder / "catalogs" / "ogle3_gaiadr2_physical_parameters.csv.gz")
    _add_cepheids(rows, folder / "catalogs" / "ogle3_lmc_cepF.dat")
    calibration = _add_rr_lyrae(rows, folder / "catalogs")
    columns = rows.columns()
    modes = _cepheid_modes(folder / "catalogs" / "ogle4_lmc_cep_ident.dat")
    columns["weight"] = _weights(columns, {"RRLYR": css_counts["RRLYR"], "CEP": modes})
    return columns, _provenance(columns, calibration)


class _Rows:
    """Stars collected one after the other."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, star_id: str, cls: str, subclass: str, **values: tuple[float, str]) -> None:
        row: dict[str, Any] = {"star_id": star_id, "class": cls, "subclass": subclass}
        for name, (value, source) in values.items():
            if np.isfinite(value):
                row[name], row[f"{name}_source"] = float(value), source
        self.rows.append(row)

    def columns(self) -> dict[str, NDArray[Any]]:
        out: dict[str, NDArray[Any]] = {}
        for name in ("star_id", "class", "subclass"):
            out[name] = np.array([r[name] for r in self.rows])
        for name in _PARAMETERS:
            out[name] = np.array([r.get(name, np.nan) for r in self.rows])
            out[f"{name}_source"] = np.array([r.get(f"{name}_source", "") for r in self.rows])
        return out


def _magellanic(i: Any, v_i: Any, period: Any, cloud: str, g: Any = None) -> tuple[Any, Any]:
    """Temperature and M_G of a pulsating star in a Magellanic Cloud."""
    i, v_i, excess = np.asarray(i, dtype=float), np.asarray(v_i, dtype=float), REDDENING[cloud]
    teff = teff_from_color(v_i - excess, gravity(period))
    g_free = gaia_g(i - TOTAL_TO_SELECTIVE * excess, v_i - excess)
    extinction = gaia_g(i, v_i) - g_free
    mag = g_free if g is None else np.asarray(g, dtype=float) - extinction
    return teff, mag - DISTANCE_MODULI[cloud]


def _add_css(rows: _Rows, path: Path) -> dict[str, Counter[str]]:
    import h5py

    if not path.is_file():
        raise DataError(f"cannot read {path}: no such file")
    counts: dict[str, Counter[str]] = {}
    with h5py.File(path, "r") as file:
        try:
            ids, classes, subclasses, periods = (
                np.asarray(file[f"objects/{name}"]) for name in ("id", "class", "subclass", "period")
            )
        except KeyError as error:
            raise DataFormatError(path, str(error)) from None
    for j in range(len(ids)):
        cls, period = _text(classes[j]), float(periods[j])
        if not cls or not (np.isfinite(period) and period > 0):
            continue
        subclass = canonical_subclass(cls, _text(subclasses[j]))
        counts.setdefault(cls, Counter())[subclass] += 1
        if cls == "CEP":  # eight stars: the OGLE samples are complete
            continue
        rows.add(_text(ids[j]), cls, subclass, period=(period, "css"))
    return counts


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _add_ogle(rows: _Rows, path: Path) -> None:
    table = read_physical_parameters(path)
    for j, star in enumerate(table["id"].tolist()):
        cls, subclass, region = str(table["class"][j]), str(table["subclass"][j]), star.split("-")[1]
        if cls in {"DSCT", "ECL", "ELL"} or (cls == "CEP" and (region != "LMC" or subclass == "F")):
            # DSCT and binaries: see docs/population.md; Cepheids: those of the LMC, F mode from its own table
            continue
        period = table["period"][j]
        values = {"period": (period, "ogle3")}
        if region in DISTANCE_MODULI:
            i, v_i, g = (table[name][j] for name in ("I", "V_I", "phot_g_mean_mag"))
            teff, mag = _magellanic(i, v_i, period, region, g)
            if cls != "RRLYR" or _RRLYR_RANGE[0] < mag < _RRLYR_RANGE[1]:
                values |= {"teff": (teff, "ogle-vi"), "abs_mag": (mag, "gaia-g")}
        rows.add(star, cls, subclass, **values)


def _add_cepheids(rows: _Rows, path: Path) -> None:
    table = read_ogle_cepf(path)
    teff, mag = _magellanic(table["I"], table["V"] - table["I"], table["period"], "LMC")
    for j, star in enumerate(table["id"].tolist()):
        rows.add(
            star,
            "CEP",
            "F",
            period=(table["period"][j], "ogle3-cepF"),
            teff=(teff[j], "ogle-vi"),
            abs_mag=(mag[j], "ogle-g"),
        )


def _add_rr_lyrae(rows: _Rows, folder: Path) -> str:
    """RR Lyrae stars of the Clouds, and spectroscopic [Fe/H]; returns a text on the calibration."""
    table = read_fourier_table(folder / "rrlyr_spectroscopic_feh_chr.dat")
    modes = np.array([canonical_subclass("RRLYR", t.removesuffix("-BL")) for t in table["type"].tolist()])
    texts, predict = [], {}
    for mode in ("RRab", "RRc"):
        used: list[tuple[float, ...]] = []
        measured = (modes == mode) & np.isfinite(table["fe_h"]) & np.isfinite(table["period"])
        for star in np.unique(table["gaia_dr2_source_id"][measured]):
            own = np.flatnonzero(measured & (table["gaia_dr2_source_id"] == star))
            first, value = own[0], float(table["fe_h"][own].mean())
            period = float(table["period"][first])
            rows.add(str(star), "RRLYR", mode, period=(period, "dekany-rr"), fe_h=(value, "spectroscopic"))
            terms = (period, float(table["phi31"][first]), float(table["A2"][first]), value)
            if table["keep"][first] == 1 and np.all(np.isfinite(terms)):
                used.append(terms)
        predict[mode], text = _calibrate(mode, np.array(used))
        texts.append(text)
    for name, mode in (("rrab_smc_i_fourier.dat", "RRab"), ("rrc_lmc_smc_i_fourier.dat", "RRc")):
        table = read_fourier_table(folder / name)
        good = (table["snr"] > 30) & (table["phcov"] > 0.85)
        metal = np.where(good, predict[mode](table["period"], table["phi31"], table["A2"]), np.nan)
        _add_fourier(rows, table, mode, metal)
    return " ".join(texts)


def _add_fourier(rows: _Rows, table: StarTable, mode: str, metal: NDArray[np.float64]) -> None:
    for j, star in enumerate(table["id"].tolist()):
        cloud, period = star.split("-")[1], table["period"][j]
        teff, mag = _magellanic(table["Imean_ogle"][j], table["V_I"][j], period, cloud)
        values = {"period": (period, "dekany-rr"), "fe_h": (metal[j], "fourier")}
        if _RRLYR_RANGE[0] < mag < _RRLYR_RANGE[1]:
            values |= {"teff": (teff, "ogle-vi"), "abs_mag": (mag, "ogle-g")}
        rows.add(star, "RRLYR", mode, **values)


def _calibrate(mode: str, stars: NDArray[np.float64]) -> tuple[Callable[..., NDArray[np.float64]], str]:
    """[Fe/H] = c0 + c1 P + c2 phi31 + c3 A2 by least squares; valid within the range of the calibrators."""
    period, phi31, a2, feh = stars.T
    matrix = np.stack([np.ones_like(period), period, phi31, a2], axis=1)
    solution = np.linalg.lstsq(matrix, feh, rcond=None)[0]
    scatter = float(np.std(feh - matrix @ solution, ddof=4))
    limits = [(float(v.min()), float(v.max())) for v in (period, phi31, a2)]

    def predict(period: NDArray, phi31: NDArray, a2: NDArray) -> NDArray[np.float64]:
        value = solution[0] + solution[1] * period + solution[2] * phi31 + solution[3] * a2
        valid = np.isfinite(value)
        for v, (low, high) in zip((period, phi31, a2), limits, strict=True):
            valid &= (v >= low) & (v <= high)
        return np.where(valid, value, np.nan)

    terms = " ".join(f"{c:+.3f} {n}" for c, n in zip(solution[1:], ("P", "phi31", "A2"), strict=True))
    text = f"[Fe/H] of {mode} = {solution[0]:.3f} {terms}, rms {scatter:.2f} dex, {len(feh)} stars."
    return predict, text


def _cepheid_modes(path: Path) -> Counter[str]:
    return Counter(canonical_subclass("CEP", mode) for mode in read_ogle_ident(path)["mode"].tolist())


def _weights(columns: dict[str, NDArray[Any]], counts: dict[str, Counter[str]]) -> NDArray[np.float64]:
    """Weights that give each subclass of a class the share it has in `counts`."""
    weight = np.ones(len(columns["class"]))
    for cls, counter in counts.items():
        rows = columns["class"] == cls
        present = [s for s in np.unique(columns["subclass"][rows]) if counter[str(s)] > 0]
        total = sum(counter[str(s)] for s in present)
        for s in present:
            own = rows & (columns["subclass"] == s)
            weight[own] = counter[str(s)] / total * rows.sum() / own.sum()
    return weight


def _provenance(columns: dict[str, NDArray[Any]], calibration: str) -> str:
    lines = ["Sources:"]
    lines += [f"  {label}: {text}" for label, text in _SOURCES.items()]
    lines += [calibration, "Values by class:"]
    for cls in np.unique(columns["class"]):
        rows = columns["class"] == cls
        parts = []
        for name in _PARAMETERS:
            found = Counter(s for s in columns[f"{name}_source"][rows].tolist() if s)
            parts += [f"{name} {label} {count}" for label, count in sorted(found.items())]
        lines.append(f"  {cls}: {', '.join(parts)}")
    return "\n".join(lines)
