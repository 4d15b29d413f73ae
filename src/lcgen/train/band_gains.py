"""Measure how curves change from band to band, on stars that were observed in several.

For each star the curve in the reference band is fitted; the photometry of another band is then a linear function of
the gains, so that the stars of a kind give them in one least-squares problem, each star with a mean of its own. A weak
prior asks neighbouring harmonics and neighbouring periods to have like gains, which decides where the data do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..catalog.packs import read_pack
from ..errors import InputError
from ..observe import atmosphere
from ..observe.band_curves import BandStars
from ..observe.extinction import band_extinction
from ..observe.gains import BandGains
from ..prepare.clean import CleanConfig, fit_and_clip
from ..prepare.fourier import FourierFit
from ..prepare.split import split_by_star

__all__ = [
    "GAIN_KINDS",
    "GAIN_SEED",
    "LUPTON",
    "STRIPE_82_E_BV",
    "BandSample",
    "GainKind",
    "StarInBands",
    "colour_offsets",
    "gain_stars",
    "johnson_from_sdss",
    "measure_gains",
    "measure_kind",
    "stars_in_bands",
]

LUPTON = {
    "V": {"sdss_g": 1.0 - 0.5784, "sdss_r": 0.5784},
    "I": {"sdss_i": 1.0 - 0.3780, "sdss_z": 0.3780},
}
"""V and I as sums of SDSS magnitudes: R. Lupton (2005), fits to Stetson's standards, in the SDSS data release
documentation, "Transformations between SDSS magnitudes and other systems"."""
_LUPTON_ZERO = 0.0038  # V is so much brighter

STRIPE_82_E_BV = 0.03
"""E(B-V) [mag] assumed for the RR Lyrae stars of Stripe 82."""

_CLEAN = CleanConfig(clip_sigma=5.0, snr_min=0.0, min_observations=20)


@dataclass(frozen=True, kw_only=True)
class GainKind:
    """What the shipped gains of one kind of star are measured on.

    Attributes
    ----------
    packs : mapping of band to str
        Packs, relative to the folder of the data; the first band is the reference.
    cls, subclass : str
    knots : tuple of float
        log10 of the period [d].
    n_harmonics : int
    survey : str
    """

    packs: Mapping[str, str]
    cls: str
    subclass: str
    knots: tuple[float, ...]
    n_harmonics: int
    survey: str


_S82 = {f"sdss_{b}": f"lightcurves/s82_rrlyr_{b}.h5" for b in "griuz"}
_OGLE = {"I": "lightcurves/ogle3_lmc_cep_i.h5", "V": "lightcurves/ogle3_lmc_cep_v.h5"}
GAIN_KINDS: dict[str, GainKind] = {
    f"{cls}/{sub}": GainKind(packs=packs, cls=cls, subclass=sub, knots=knots, n_harmonics=n, survey=survey)
    for cls, sub, packs, knots, n, survey in (
        ("RRLYR", "RRab", _S82, (-0.30, -0.22, -0.14), 8, "SDSS Stripe 82"),
        ("RRLYR", "RRc", _S82, (-0.55, -0.45), 5, "SDSS Stripe 82"),
        ("CEP", "F", _OGLE, (0.35, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5), 12, "OGLE-III LMC"),
        ("CEP", "1O", _OGLE, (-0.2, 0.1, 0.3, 0.45, 0.6), 8, "OGLE-III LMC"),
    )
}
"""The kinds of stars whose gains are shipped."""
# One fifth of the stars, by name, measures nothing and tests.
GAIN_SEED, _SHARES = 4, (0.8, 0.0, 0.2)


@dataclass(frozen=True, kw_only=True, eq=False)
class BandSample:
    """Photometry of one star in one band: `phase`, `mag` and `mag_err` of shape (n_obs,), after clipping, and its
    Fourier fit."""

    phase: NDArray[np.float64]
    mag: NDArray[np.float64]
    mag_err: NDArray[np.float64]
    fit: FourierFit

    @classmethod
    def of(
        cls, mjd: NDArray, mag: NDArray, mag_err: NDArray, period: float, *, n_harmonics: int, floor: float = 0.005
    ) -> BandSample | None:
        """Folded, clipped and fitted; None with fewer than 20 observations left.

        Parameters
        ----------
        floor : float
            Added to the errors in quadrature [mag].
        """
        good = np.isfinite(mag) & np.isfinite(mag_err) & (mag_err > 0) & (mag_err < 0.3)
        phase = (mjd[good] / period) % 1.0
        values, errors = mag[good].astype(float), np.hypot(mag_err[good].astype(float), floor)
        fit, keep = fit_and_clip(phase, values, errors, config=_CLEAN, n_harmonics=n_harmonics, base_harmonic=1)
        if fit is None:
            return None
        return cls(phase=phase[keep], mag=values[keep], mag_err=errors[keep], fit=fit)


@dataclass(frozen=True, kw_only=True, eq=False)
class StarInBands:
    """One star in several bands: `samples` by band, folded with the same `period` [d] and zero of phase."""

    star_id: str
    period: float
    samples: Mapping[str, BandSample]


def stars_in_bands(
    packs: Mapping[str, str | Path], *, cls: str, n_harmonics: int, subclasses: Sequence[str] | None = None
) -> list[StarInBands]:
    """Stars that packs of several bands have in common, by their names.

    Parameters
    ----------
    packs : mapping of band to path
    cls : str
        Class of the stars.
    n_harmonics : int
        Of the fit of each curve.
    subclasses : sequence of str, optional
        Only these.
    """
    found: dict[str, tuple[float, dict[str, BandSample]]] = {}
    for band, path in packs.items():
        pack = read_pack(path, classes=[cls], with_period=True)
        for i in range(len(pack)):
            if subclasses is not None and pack.columns["subclass"][i] not in subclasses:
                continue
            rows = slice(pack.offsets[i], pack.offsets[i + 1])
            name, period = str(pack.columns["id"][i]), float(pack.columns["period"][i])
            period = found[name][0] if name in found else period
            sample = BandSample.of(pack.mjd[rows], pack.mag[rows], pack.mag_err[rows], period, n_harmonics=n_harmonics)
            if sample is not None:
                found.setdefault(name, (period, {}))[1][band] = sample
    return [
        StarInBands(star_id=name, period=period, samples=samples)
        for name, (period, samples) in found.items()
        if len(samples) > 1
    ]


def gain_stars(kind: str, data: str | Path) -> tuple[list[StarInBands], list[StarInBands]]:
    """The stars of a kind (a key of :data:`GAIN_KINDS`), apart by name: those that measure gains and those that test.

    Parameters
    ----------
    kind : str
    data : path-like
        Folder of the survey data.
    """
    what = GAIN_KINDS[kind]
    paths = {band: Path(data) / name for band, name in what.packs.items()}
    stars = stars_in_bands(paths, cls=what.cls, subclasses=(what.subclass,), n_harmonics=what.n_harmonics)
    names = [s.star_id for s in stars]
    held = split_by_star(names, [what.cls] * len(stars), seed=GAIN_SEED, fractions=_SHARES) == 2
    pairs = list(zip(stars, held, strict=True))
    return [s for s, h in pairs if not h], [s for s, h in pairs if h]


def measure_kind(kind: str, data: str | Path) -> BandGains:
    """The gains of a kind, with V and I where it was observed in SDSS's bands."""
    what = GAIN_KINDS[kind]
    reference, *targets = what.packs
    stars = gain_stars(kind, data)[0]
    gains = measure_gains(
        stars,
        reference=reference,
        targets=targets,
        knots=what.knots,
        n_harmonics=what.n_harmonics,
        survey=what.survey,
    )
    if what.packs is not _S82:
        return gains
    return replace(johnson_from_sdss(gains), colour_offset=colour_offsets(stars, what))


def colour_offsets(stars: Sequence[StarInBands], what: GainKind) -> dict[str, float]:
    """How far mean colours of stars observed in SDSS's bands lie from model atmospheres [mag], median by band.

    The temperature is that of the colour g - i; extinction is taken as :data:`STRIPE_82_E_BV`, one value for all.

    Parameters
    ----------
    stars : sequence of StarInBands
    what : GainKind
    """
    own = [s for s in stars if all(b in s.samples for b in what.packs)]
    clear = {
        b: np.array([s.samples[b].fit.mean for s in own]) - band_extinction(b, 3.1 * STRIPE_82_E_BV) for b in what.packs
    }
    clear["V"] = np.sum([w * clear[b] for b, w in LUPTON["V"].items()], axis=0) - _LUPTON_ZERO
    columns = {"class": np.full(len(own), what.cls), "subclass": np.full(len(own), what.subclass)}
    columns |= {k: np.full(len(own), np.nan) for k in ("teff", "logg", "fe_h")}
    known = BandStars.from_columns({**columns, "period": np.array([s.period for s in own])})
    colour = clear["sdss_g"] - clear["sdss_i"]
    teff = atmosphere.teff_from_colour("sdss_g", "sdss_i", colour, known.logg, known.fe_h)
    return {
        b: float(np.median(clear[b] - clear["V"] - atmosphere.colour(b, "V", teff, known.logg, known.fe_h)))
        for b in what.packs
    }


def _coefficients(fit: FourierFit, n: int) -> NDArray[np.complex128]:
    # mag = Re sum_k c_k exp(2 pi i k phase)
    found = fit.coefficients[:n, 0] - 1j * fit.coefficients[:n, 1]
    return np.concatenate([found, np.zeros(n - found.size, dtype=complex)])


def measure_gains(
    stars: Sequence[StarInBands],
    *,
    reference: str,
    targets: Sequence[str],
    knots: Sequence[float],
    n_harmonics: int = 8,
    spread: tuple[float, float] = (0.15, 0.10),
    survey: str = "",
) -> BandGains:
    """Gains from a reference band to others.

    Parameters
    ----------
    stars : sequence of StarInBands
        Stars of one kind; those without a band are left out for it.
    reference : str
    targets : sequence of str
    knots : sequence of float
        log10 of the period [d], ascending.
    n_harmonics : int
    spread : (float, float)
        Prior standard deviation of the difference in gain between neighbouring harmonics and neighbouring knots.
    survey : str
        For the record.

    Raises
    ------
    InputError
        If no star has both bands.
    """
    nodes = np.asarray(knots, dtype=float)
    gains = [np.ones((nodes.size, n_harmonics), dtype=complex)]
    for target in targets:
        both = [s for s in stars if reference in s.samples and target in s.samples]
        if not both:
            raise InputError(f"no star was observed in {reference} and {target}")
        gains.append(_solve(both, reference, target, nodes, n_harmonics, spread))
    return BandGains(
        reference=reference,
        bands=(reference, *targets),
        knots=nodes,
        gain=np.stack(gains),
        survey=survey,
        n_stars=len(stars),
    )


def _solve(
    stars: Sequence[StarInBands],
    reference: str,
    target: str,
    nodes: NDArray[np.float64],
    n_harmonics: int,
    spread: tuple[float, float],
) -> NDArray[np.complex128]:
    """Gains, shape (n_knots, n_harmonics); unknowns are real and imaginary parts."""
    size = nodes.size * n_harmonics
    gram, moment = np.zeros((2 * size, 2 * size)), np.zeros(2 * size)
    k = np.arange(1, n_harmonics + 1)
    for star in stars:
        sample = star.samples[target]
        base = _coefficients(star.samples[reference].fit, n_harmonics)
        wave = base * np.exp(2j * np.pi * np.outer(sample.phase, k))
        weights = np.array([np.interp(np.log10(star.period), nodes, row) for row in np.eye(nodes.size)])
        active = np.flatnonzero(weights)
        waves = np.concatenate([w * wave for w in weights[active]], axis=1)
        design = np.concatenate([np.real(waves), -np.imag(waves)], axis=1)
        columns = (active[:, None] * n_harmonics + np.arange(n_harmonics)).ravel()
        columns = np.concatenate([columns, size + columns])
        # true scatter, not the quoted errors; every star has a mean of its own
        inverse = 1.0 / (sample.mag_err * max(sample.fit.scatter_ratio, 0.3)) ** 2
        share = inverse / inverse.sum()
        design -= share @ design
        value = sample.mag - share @ sample.mag
        weighted = design * inverse[:, None]
        gram[np.ix_(columns, columns)] += weighted.T @ design
        moment[columns] += weighted.T @ value
    precision = _prior(nodes.size, n_harmonics, spread)
    gram[:size, :size] += precision
    gram[size:, size:] += precision
    solution = np.linalg.solve(gram, moment)
    return (solution[:size] + 1j * solution[size:]).reshape(nodes.size, n_harmonics)


def _prior(n_knots: int, n_harmonics: int, spread: tuple[float, float]) -> NDArray[np.float64]:
    def chain(n: int, sd: float) -> NDArray[np.float64]:
        step = np.diff(np.eye(n), axis=0)
        return step.T @ step / sd**2

    return np.kron(np.eye(n_knots), chain(n_harmonics, spread[0])) + np.kron(
        chain(n_knots, spread[1]), np.eye(n_harmonics)
    )


def johnson_from_sdss(gains: BandGains) -> BandGains:
    """The same with V and I, which are sums of SDSS magnitudes to 0.01 mag."""
    of = dict(zip(gains.bands, gains.gain, strict=True))
    added = {band: sum(w * of[b] for b, w in terms.items()) for band, terms in LUPTON.items()}
    return BandGains(
        reference=gains.reference,
        bands=(*gains.bands, *added),
        knots=gains.knots,
        gain=np.concatenate([gains.gain, np.stack([np.asarray(g) for g in added.values()])]),
        survey=gains.survey,
        n_stars=gains.n_stars,
    )
