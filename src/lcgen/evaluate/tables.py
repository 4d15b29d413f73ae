"""Real stars with both a physical parameter that can be trusted and tabulated Fourier terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..catalog import read_fourier_table, read_ogle_cepf, read_physical_parameters
from ..rng import stream
from .features import FeatureTable, curve_features
from .relations import Relation

__all__ = ["MAX_STARS", "StarSample", "gaia_bulge_teff", "series_features", "star_samples", "with_columns"]

MAX_STARS = 2000
"""Stars of a sample; of more, as many at random."""

_SNR_MIN, _COVERAGE_MIN = 30.0, 0.85
_N_HARMONICS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class StarSample:
    """Stars of one table.

    Attributes
    ----------
    survey : str
        What it is, in words.
    cls, subclass, band : str
    star_id : ndarray of str, shape (n,)
    columns : mapping of str to ndarray, shape (n,)
        ``period`` [d] and what else is known of the stars.
    given : tuple of str
        Which of the columns, besides the period, a generator is told.
    features : FeatureTable
        ``log_amplitude`` and, for the cosine series of the magnitude, the ratios and phase differences of the table.
    relations : tuple of Relation
        What is to be compared.
    """

    survey: str
    cls: str
    subclass: str
    band: str
    star_id: NDArray[np.str_]
    columns: dict[str, NDArray[np.float64]]
    given: tuple[str, ...]
    features: FeatureTable
    relations: tuple[Relation, ...]


def star_samples(folder: Path, table: Mapping[str, NDArray], *, seed: int = 1) -> tuple[StarSample, ...]:
    """The samples that relations with physical parameters are measured on.

    Parameters
    ----------
    folder : Path
        Folder of the survey data.
    table : mapping of str to ndarray
        See :func:`lcgen.population.training_table`; its temperatures are used.
    seed : int
        Chooses stars where there are too many.

    Raises
    ------
    DataError, DataFormatError
        If a table is missing or malformed.
    """
    catalogs = folder / "catalogs"
    return tuple(
        _thin(sample, seed)
        for sample in (_spectroscopic(catalogs), _rr_lyrae(catalogs, table), _cepheids(catalogs, table))
    )


def gaia_bulge_teff(folder: Path) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Bulge RR Lyrae stars with a Gaia DR2 temperature: names and temperatures [K]."""
    stars = read_physical_parameters(folder / "catalogs" / "ogle3_gaiadr2_physical_parameters.csv.gz")
    own = (stars["class"] == "RRLYR") & np.char.startswith(stars["id"].astype(str), "OGLE-BLG-")
    own &= np.isfinite(stars["teff"])
    return stars["id"][own], stars["teff"][own]


def series_features(cls: str, curves: NDArray[np.float64]) -> FeatureTable:
    """Features of noise-free curves at evenly spaced phases, shape (n, n_phase)."""
    term = 2.0 * np.fft.rfft(curves, axis=1)[:, 1 : _N_HARMONICS + 1] / curves.shape[1]
    nothing = np.zeros(curves.shape[0])
    coefficients = np.stack([term.real, -term.imag], axis=2)
    return curve_features(cls, coefficients, skew_mag=nothing, kurtosis_mag=nothing, residual=nothing)


def with_columns(table: FeatureTable, columns: Mapping[str, NDArray[np.float64]]) -> FeatureTable:
    """A table with further columns."""
    return FeatureTable(names=(*table.names, *columns), values=np.column_stack([table.values, *columns.values()]))


def _features(amplitude: NDArray, ratios: Mapping[str, NDArray], angles: Mapping[str, NDArray]) -> FeatureTable:
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {"log_amplitude": np.log10(amplitude), **ratios}
    for name, angle in angles.items():
        columns |= {f"cos_{name}": np.cos(angle), f"sin_{name}": np.sin(angle)}
    return FeatureTable(names=tuple(columns), values=np.column_stack(list(columns.values())))


def _select(sample: StarSample, rows: NDArray) -> StarSample:
    return StarSample(
        survey=sample.survey,
        cls=sample.cls,
        subclass=sample.subclass,
        band=sample.band,
        star_id=sample.star_id[rows],
        columns={k: v[rows] for k, v in sample.columns.items()},
        given=sample.given,
        features=FeatureTable(names=sample.features.names, values=sample.features.values[rows]),
        relations=sample.relations,
    )


def _complete(sample: StarSample) -> StarSample:
    """Without stars of which something is unknown."""
    good = np.isfinite(sample.features.values).all(axis=1)
    for values in sample.columns.values():
        good &= np.isfinite(values)
    return _select(sample, np.flatnonzero(good))


def _thin(sample: StarSample, seed: int) -> StarSample:
    n = sample.star_id.size
    if n <= MAX_STARS:
        return sample
    chosen = stream(seed, f"evaluate/sample/{sample.survey}").permutation(n)[:MAX_STARS]
    return _select(sample, np.sort(chosen))


def _from_table(table: Mapping[str, NDArray], star_id: NDArray, name: str, cls: str) -> NDArray[np.float64]:
    own = (table["class"] == cls) & np.isfinite(table[name])
    known = dict(zip(table["star_id"][own].tolist(), table[name][own].tolist(), strict=True))
    return np.array([known.get(s, np.nan) for s in star_id.tolist()])


def _dekany_features(stars: Mapping[str, NDArray]) -> FeatureTable:
    """Terms of a sine series, as cosine series: each phase difference phi_k1 grows by (k - 1) pi / 2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {"R21": stars["A2"] / stars["A1"], "R31": stars["A3"] / stars["A1"]}
    return _features(
        stars["amplitude"], ratios, {"phi21": stars["phi21"] + 0.5 * np.pi, "phi31": stars["phi31"] + np.pi}
    )


def _rrab(x: str, y: str) -> Relation:
    return Relation(cls="RRLYR", subclass="RRab", band="I", x=x, y=y, at_period=True)


def _cep(x: str, y: str, max_period: float = np.inf) -> Relation:
    return Relation(cls="CEP", subclass="F", band="I", x=x, y=y, at_period=True, max_period=max_period)


def _spectroscopic(catalogs: Path) -> StarSample:
    stars = read_fourier_table(catalogs / "rrlyr_spectroscopic_feh_chr.dat")
    stars = stars.one_row_per_star(on="gaia_dr2_source_id")
    own = np.char.startswith(stars["type"].astype(str), "RRab") & (stars["keep"] == 1)
    return _complete(
        _select(
            StarSample(
                survey="spectroscopic stars",
                cls="RRLYR",
                subclass="RRab",
                band="I",
                star_id=stars["id"],
                columns={"period": stars["period"], "fe_h": stars["fe_h"]},
                given=("fe_h",),
                features=_dekany_features(stars),
                relations=(_rrab("fe_h", "phi31"),),
            ),
            np.flatnonzero(own),
        )
    )


def _rr_lyrae(catalogs: Path, table: Mapping[str, NDArray]) -> StarSample:
    stars = read_fourier_table(catalogs / "rrab_smc_i_fourier.dat")
    good = (stars["snr"] > _SNR_MIN) & (stars["phcov"] > _COVERAGE_MIN)
    return _complete(
        _select(
            StarSample(
                survey="OGLE SMC",
                cls="RRLYR",
                subclass="RRab",
                band="I",
                star_id=stars["id"],
                columns={
                    "period": stars["period"],
                    "teff": _from_table(table, stars["id"], "teff", "RRLYR"),
                },
                given=("teff",),
                features=_dekany_features(stars),
                relations=tuple(_rrab("teff", y) for y in ("log_amplitude", "phi31")),
            ),
            np.flatnonzero(good),
        )
    )


def _cepheids(catalogs: Path, table: Mapping[str, NDArray]) -> StarSample:
    stars = read_ogle_cepf(catalogs / "ogle3_lmc_cepF.dat")
    return _complete(
        StarSample(
            survey="OGLE-III LMC",
            cls="CEP",
            subclass="F",
            band="I",
            star_id=stars["id"],
            columns={
                "period": stars["period"],
                "teff": _from_table(table, stars["id"], "teff", "CEP"),
                "V-I": stars["V"] - stars["I"],
            },
            given=("teff",),
            features=_features(
                stars["A_I"],
                {"R21": stars["R21"], "R31": stars["R31"]},
                {"phi21": stars["phi21"], "phi31": stars["phi31"]},
            ),
            relations=(
                *(_cep("teff", y) for y in ("log_amplitude", "R31")),
                # where phi31 runs through the circle, at the bump, its ranks mean nothing
                _cep("teff", "phi31", 8.0),
                *(_cep("V-I", y) for y in ("log_amplitude", "R31")),
            ),
        )
    )
