"""How the shape of a pulsating star's curve changes from band to band, measured on stars seen in several bands.

A curve is a Fourier series; in another band each harmonic is multiplied by a complex gain: its modulus is the ratio of
amplitudes and its argument the lag in phase. Gains depend on the kind of star and, smoothly, on the period. Being
multiplications, they can be undone: from any of the bands one comes to any other, and back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, UnknownNameError

__all__ = ["BandGains", "kind_of_star", "load_gains", "transfer"]

# Whose gains the stars of a class and subclass have. RRd stars pulsate mainly in the first overtone.
_KINDS = {
    "RRLYR": {"RRab": "RRLYR/RRab", "RRc": "RRLYR/RRc", "RRd": "RRLYR/RRc", "": "RRLYR/RRab"},
    "CEP": {"F": "CEP/F", "F/1O": "CEP/F", "1O": "CEP/1O", "1O/2O": "CEP/1O", "2O": "CEP/1O", "": "CEP/F"},
}
# Never seen in two bands: those of the nearest kind of similar temperature.
_DONORS = {"ACEP": "RRLYR/RRab", "DSCT": "RRLYR/RRab", "T2CEP": "CEP/F"}


@dataclass(frozen=True, kw_only=True, eq=False)
class BandGains:
    """Gains of one kind of star.

    Attributes
    ----------
    reference : str
        The band whose gain is one.
    bands : tuple of str
        All bands, the reference among them.
    knots : ndarray, shape (n_knots,)
        log10 of the period [d] at which gains were measured; linear between, constant beyond.
    gain : ndarray of complex, shape (n_bands, n_knots, n_harmonics)
        For the harmonics 1, 2 ...; higher ones have the last.
    survey : str
        Where it was measured.
    n_stars : int
        On how many stars.
    colour_offset : mapping of band to float
        Mean magnitude minus V, less that of the model atmosphere of the star's temperature [mag].
    """

    reference: str
    bands: tuple[str, ...]
    knots: NDArray[np.float64]
    gain: NDArray[np.complex128]
    survey: str = ""
    n_stars: int = 0
    colour_offset: Mapping[str, float] = field(default_factory=dict)

    def at(
        self, log_period: ArrayLike, source: str, targets: Sequence[str], n_harmonics: int
    ) -> NDArray[np.complex128]:
        """Gains from one band to others.

        Returns
        -------
        ndarray of complex, shape (n_targets, n_stars, n_harmonics)

        Raises
        ------
        UnknownNameError
            If one of the bands was not measured.
        """
        x = np.atleast_1d(np.asarray(log_period, dtype=float))
        place = np.interp(x, self.knots, np.arange(self.knots.size))
        low = np.minimum(place.astype(int), max(self.knots.size - 2, 0))
        high = np.minimum(low + 1, self.knots.size - 1)
        share = (place - low)[:, None]

        def of(band: str) -> NDArray[np.complex128]:
            if band not in self.bands:
                raise UnknownNameError("band with measured gains", band, self.bands)
            table = self.gain[self.bands.index(band)]
            return table[low] + share * (table[high] - table[low])

        start = of(source)
        measured = np.stack([of(band) / start for band in targets])
        out = np.empty((*measured.shape[:2], n_harmonics), dtype=complex)
        n = min(n_harmonics, measured.shape[2])
        out[..., :n] = measured[..., :n]
        out[..., n:] = measured[..., n - 1 : n]
        return out

    def transfer(
        self, curves: ArrayLike, log_period: ArrayLike, source: str, targets: Sequence[str]
    ) -> NDArray[np.float64]:
        """Folded curves in other bands.

        Parameters
        ----------
        curves : array_like, shape (n_stars, n_phase)
            Magnitudes at phases ``arange(n_phase) / n_phase``; means are dropped.
        log_period : array_like, shape (n_stars,)
            log10 of the period [d].
        source : str
        targets : sequence of str

        Returns
        -------
        ndarray, shape (n_targets, n_stars, n_phase)
            With zero mean.
        """
        grid = np.atleast_2d(np.asarray(curves, dtype=float))
        spectrum = np.fft.rfft(grid, axis=1)
        turned = np.zeros((len(targets), *spectrum.shape), dtype=complex)
        turned[..., 1:] = spectrum[:, 1:] * self.at(log_period, source, targets, spectrum.shape[1] - 1)
        return np.fft.irfft(turned, n=grid.shape[1], axis=2)

    def to_config(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "reference": self.reference,
            "bands": list(self.bands),
            "knots": np.round(self.knots, 4).tolist(),
            "modulus": np.round(np.abs(self.gain), 4).tolist(),
            "argument": np.round(np.angle(self.gain), 4).tolist(),
            "survey": self.survey,
            "n_stars": self.n_stars,
            "colour_offset": {b: round(float(v), 3) for b, v in self.colour_offset.items()},
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> BandGains:
        """The inverse of :meth:`to_config`."""
        gain = np.asarray(config["modulus"]) * np.exp(1j * np.asarray(config["argument"]))
        return cls(
            reference=config["reference"],
            bands=tuple(config["bands"]),
            knots=np.asarray(config["knots"], dtype=float),
            gain=gain,
            survey=config["survey"],
            n_stars=int(config["n_stars"]),
            colour_offset=dict(config["colour_offset"]),
        )


@lru_cache(maxsize=1)
def load_gains() -> Mapping[str, BandGains]:
    """The gains that are shipped, by kind of star: ``"RRLYR/RRab"``, ``"RRLYR/RRc"``, ``"CEP/F"``, ``"CEP/1O"``."""
    text = files("lcgen.observe").joinpath("tables", "gains.json").read_text()
    return {kind: BandGains.from_config(config) for kind, config in json.loads(text)["kinds"].items()}


def kind_of_star(cls: str, subclass: str = "") -> tuple[str, bool]:
    """Whose gains a star has, and whether they were measured on stars of its class.

    Returns
    -------
    kind : str
        A key of :func:`load_gains`; empty for stars that do not pulsate radially.
    own : bool
        False where they are those of another class.

    Examples
    --------
    >>> kind_of_star("RRLYR", "RRd"), kind_of_star("T2CEP", "WVir"), kind_of_star("ECL")
    (('RRLYR/RRc', True), ('CEP/F', False), ('', False))
    """
    if cls in _KINDS:
        return _KINDS[cls].get(subclass, _KINDS[cls][""]), True
    return _DONORS.get(cls, ""), False


def transfer(
    curve: ArrayLike, source: str, target: str, *, cls: str, period: float, subclass: str = ""
) -> NDArray[np.float64]:
    """The folded curve of a pulsating star in another band, from its curve in one band.

    Parameters
    ----------
    curve : array_like, shape (n_phase,) or (n_stars, n_phase)
        Magnitudes at phases ``arange(n_phase) / n_phase``.
    source, target : str
        Bands: of RR Lyrae stars V, I and sdss_u to sdss_z, of Cepheids V and I.
    cls, subclass : str
        ``"RRLYR"`` or ``"CEP"``; classes without measured gains take those of the nearest kind.
    period : float or array_like, shape (n_stars,)
        Periods [d].

    Returns
    -------
    ndarray
        Of the shape of `curve`, with zero mean.

    Raises
    ------
    InputError
        If the class has no gains, or the curve or the period is not finite and positive.
    UnknownNameError
        If one of the bands was not measured.

    Examples
    --------
    >>> import numpy as np
    >>> g = -0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    >>> z = transfer(g, "sdss_g", "sdss_z", cls="RRLYR", subclass="RRc", period=0.3)
    >>> bool(np.ptp(z) < 0.6 * np.ptp(g))
    True
    """
    kind, _ = kind_of_star(cls, subclass)
    if not kind:
        raise InputError(f"no gains between bands are known for the class {cls!r}; known: RRLYR, CEP and their kin")
    grid, days = np.asarray(curve, dtype=float), np.asarray(period, dtype=float)
    if grid.ndim not in (1, 2) or grid.shape[-1] < 4 or not np.isfinite(grid).all():
        raise InputError(f"a folded curve needs at least four finite magnitudes, received shape {grid.shape}")
    if not (np.isfinite(days).all() and (days > 0).all()):
        raise InputError(f"period must be positive and finite, received {period!r:.60}")
    n_stars = 1 if grid.ndim == 1 else grid.shape[0]
    log_period = np.broadcast_to(np.log10(days), (n_stars,))
    return load_gains()[kind].transfer(grid, log_period, source, (target,))[0].reshape(grid.shape)
