"""From survey light curves to what a network is trained on: folded, aligned, cleaned and scaled curves.

Every step can be undone: ``mag = mean + scale * value`` and ``survey phase = phase + shift``.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from ..errors import InputError
from ..lightcurve import LightCurves, phase_of
from ..taxonomy import CLASS_INFO, CLASSES, PHYSICAL, class_info
from .align import alignment_shift, peak_to_peak, rotate_coefficients
from .clean import CleanConfig, fit_and_clip
from .fourier import FourierFit, fourier_series

__all__ = [
    "AMPLITUDE_IN_V",
    "N_BINS",
    "PreparationReport",
    "PreparedCurves",
    "bin_curves",
    "n_harmonics_of",
    "prepare",
]

_log = logging.getLogger(__name__)

N_BINS = 128
"""Phase bins of the encoder's input and points of the decoder's output."""

AMPLITUDE_IN_V: dict[str, float] = {"V": 1.0, "I": 1.0 / 0.6}
"""Factor that brings a band's amplitude near that of V. It fixes the unit in which shapes are learnt, no more: what
the ratio really is, star by star, is learnt by the decoder. 0.6 is the usual A_I/A_V of Cepheids."""

# The amplitude is the unit of a curve: below this it is rounding, not variability [mag].
_MIN_AMPLITUDE = 1e-5


def n_harmonics_of(cls: str) -> int:
    """Number of harmonics of the reference series: ten of the base harmonic, six for long-period variables."""
    return (6 if cls == "LPV" else 10) * class_info(cls).base_harmonic


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedCurves:
    """Folded curves, one row a star, survey and band.

    Attributes
    ----------
    star_id, survey : ndarray of str, shape (n,)
        Name of the star, and the survey that saw it.
    cls, band : ndarray of int, shape (n,)
        Index into `classes` and `bands`.
    subclass : ndarray of str, shape (n,)
        Subclass, or an empty string.
    params : ndarray, shape (n, n_params)
        Physical parameters in natural units, NaN where unknown, in the order of :data:`lcgen.taxonomy.PHYSICAL`.
    mean : ndarray, shape (n,)
        Mean magnitude of the curve [mag].
    scale : ndarray, shape (n,)
        Unit of `value` [mag]: the amplitude of the star, brought to V.
    amplitude : ndarray, shape (n,)
        Peak-to-peak amplitude of the regularised Fourier series in the curve's own band [mag].
    shift : ndarray, shape (n,)
        Survey phase (for t0 = 0) that became phase zero.
    scatter_ratio : ndarray, shape (n,)
        True scatter about the series, over the quoted errors.
    fit_grid : ndarray, shape (n, N_BINS)
        The series in units of `scale`, at phases arange(N_BINS) / N_BINS.
    partner : ndarray of int, shape (n,)
        Row of the same star and survey in the other band, or -1.
    offsets : ndarray, shape (n + 1,)
        Rows of the observations of each curve.
    phase, value, sigma : ndarray, shape (n_obs,)
        Aligned phase in [0, 1), magnitude minus mean in units of `scale`, and its true standard deviation.
    n_harmonics : ndarray of int64, shape (n,)
        0 for a measured light curve; where positive the curve was reconstructed from tabulated Fourier terms (see
        :func:`lcgen.prepare.reconstruct.reconstruct`) and is known up to that harmonic only.
    """

    star_id: NDArray[np.str_]
    survey: NDArray[np.str_]
    cls: NDArray[np.int64]
    subclass: NDArray[np.str_]
    band: NDArray[np.int64]
    params: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    shift: NDArray[np.float64]
    scatter_ratio: NDArray[np.float64]
    fit_grid: NDArray[np.float32]
    partner: NDArray[np.int64]
    offsets: NDArray[np.int64]
    phase: NDArray[np.float32]
    value: NDArray[np.float32]
    sigma: NDArray[np.float32]
    n_harmonics: NDArray[np.int64]
    classes: tuple[str, ...] = CLASSES
    bands: tuple[str, ...] = ("V", "I")

    def __len__(self) -> int:
        return int(self.cls.size)

    @property
    def class_name(self) -> NDArray[np.str_]:
        """Class of each curve by name."""
        return np.asarray(self.classes)[self.cls]

    def take(self, rows: ArrayLike) -> PreparedCurves:
        """The given rows; partners that are left behind are forgotten."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        counts = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        flat = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], counts)
        moved = np.full(len(self) + 1, -1, dtype=np.int64)
        moved[rows] = np.arange(rows.size)
        changed: dict[str, Any] = {"offsets": offsets, "partner": moved[self.partner[rows]]}
        for name in ("phase", "value", "sigma"):
            changed[name] = getattr(self, name)[flat]
        for f in fields(self):
            if f.name not in changed and f.name not in ("classes", "bands"):
                changed[f.name] = getattr(self, f.name)[rows]
        return replace(self, **changed)

    @classmethod
    def concatenate(cls, parts: Sequence[PreparedCurves]) -> PreparedCurves:
        """All curves of several sets, one after the other.

        Raises
        ------
        InputError
            Without any set, or if their classes or bands differ.
        """
        parts = list(parts)
        if not parts:
            raise InputError("no prepared curves to put together")
        for name in ("classes", "bands"):
            found = {getattr(p, name) for p in parts}
            if len(found) > 1:
                raise InputError(f"prepared curves of different {name} cannot be put together: {sorted(found)}")
        rows = np.cumsum([0, *(len(p) for p in parts)])
        observations = np.cumsum([0, *(p.phase.size for p in parts)])
        joined: dict[str, Any] = {
            f.name: np.concatenate([getattr(p, f.name) for p in parts])
            for f in fields(cls)
            if f.name not in ("classes", "bands")
        }
        firsts = zip(parts, observations, strict=False)
        joined["offsets"] = np.concatenate([[0], *(p.offsets[1:] + n for p, n in firsts)]).astype(np.int64)
        partners = [np.where(p.partner >= 0, p.partner + n, -1) for p, n in zip(parts, rows, strict=False)]
        joined["partner"] = np.concatenate(partners).astype(np.int64)
        return replace(parts[0], **joined)

    def magnitude(self, i: int, values: ArrayLike) -> NDArray[np.float64]:
        """Magnitudes of scaled values of curve `i`: the inverse of the scaling."""
        return self.mean[i] + self.scale[i] * np.asarray(values, dtype=float)

    def save(self, path: Any) -> None:
        """Write to an uncompressed ``.npz`` without pickled objects."""
        arrays = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        with open(path, "wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Any) -> PreparedCurves:
        """Read what :meth:`save` wrote; files of before there were reconstructed curves hold measured ones only."""
        with np.load(path, allow_pickle=False) as stored:
            arrays: dict[str, Any] = {name: stored[name] for name in stored.files if name != "allow_pickle"}
        for name in ("classes", "bands"):
            arrays[name] = tuple(str(v) for v in arrays[name])
        arrays.setdefault("n_harmonics", np.zeros(arrays["cls"].size, dtype=np.int64))
        return cls(**arrays)


@dataclass(frozen=True, kw_only=True)
class PreparationReport:
    """How many curves were kept and why the others were not, by class.

    Attributes
    ----------
    kept, dropped : mapping of class to count
    reasons : mapping of (class, reason) to count
    """

    kept: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def to_text(self) -> str:
        """A table for people."""
        lines = [f"{'class':8} {'kept':>7} {'dropped':>8}  reasons"]
        for cls in sorted(set(self.kept) | set(self.dropped)):
            why = "; ".join(f"{r} {n}" for (c, r), n in sorted(self.reasons.items()) if c == cls)
            lines.append(f"{cls or '(none)':8} {self.kept.get(cls, 0):7d} {self.dropped.get(cls, 0):8d}  {why}")
        return "\n".join(lines)


@dataclass(eq=False)
class _Curve:
    star: int
    band: str
    fit: FourierFit
    phase: NDArray
    mag: NDArray
    err: NDArray
    amplitude: float
    weight: float = 0.0


def _fold_star(
    lightcurves: LightCurves, i: int, cls: str, period: float, config: CleanConfig, reasons: Counter
) -> list[_Curve]:
    rows = slice(int(lightcurves.offsets[i]), int(lightcurves.offsets[i + 1]))
    phase = phase_of(lightcurves.mjd[rows], period)
    band_index = lightcurves.band_index[rows]
    out: list[_Curve] = []
    for k in np.unique(band_index):
        own = band_index == k
        mag = lightcurves.mag[rows][own].astype(float)
        err = lightcurves.mag_err[rows][own].astype(float)
        fit, keep = fit_and_clip(
            phase[own],
            mag,
            err,
            config=config,
            n_harmonics=n_harmonics_of(cls),
            base_harmonic=CLASS_INFO[cls].base_harmonic,
        )
        if fit is None:
            reasons[(cls, "few observations")] += 1
            continue
        amplitude = peak_to_peak(fit.coefficients)
        if amplitude < _MIN_AMPLITUDE:
            reasons[(cls, "does not vary")] += 1
            continue
        if amplitude < config.snr_min * float(err[keep].mean()):
            reasons[(cls, "low signal-to-noise")] += 1
            continue
        out.append(
            _Curve(
                star=i,
                band=lightcurves.band_names[k],
                fit=fit,
                phase=phase[own][keep],
                mag=mag[keep],
                err=err[keep],
                amplitude=amplitude,
                weight=amplitude / fit.scatter * np.sqrt(keep.sum()) if fit.scatter > 0 else np.inf,
            )
        )
    return out


def prepare(
    surveys: Sequence[LightCurves],
    *,
    bands: Sequence[str] = ("V", "I"),
    clean: CleanConfig | Mapping[str, CleanConfig] | None = None,
    progress: bool | None = None,
) -> tuple[PreparedCurves, PreparationReport]:
    """Fold, clean, align and scale survey light curves.

    Parameters
    ----------
    surveys : sequence of LightCurves
        One a survey; rows of the same ``id`` in one survey are bands of the same star. Needs the columns ``id``,
        ``class`` and ``period``; uses ``subclass`` and the physical parameters where present. ``meta["survey"]``
        names the survey.
    bands : sequence of str
        Bands to use; observations in others are left out.
    clean : CleanConfig, or mapping of survey to CleanConfig
        What is removed.
    progress : bool, optional
        Show a progress bar; by default where stderr is a terminal.

    Returns
    -------
    PreparedCurves, PreparationReport

    Raises
    ------
    InputError
        If a column is missing or nothing is left.
    """
    reasons: Counter = Counter()
    kept: Counter = Counter()
    groups: list[tuple[str, LightCurves, list[_Curve]]] = []
    for survey in surveys:
        name = str(survey.meta.get("survey", ""))
        config = clean.get(name, CleanConfig()) if isinstance(clean, Mapping) else (clean or CleanConfig())
        for column in ("id", "class", "period"):
            if column not in survey.columns:
                raise InputError(f"survey {name or '(unnamed)'} has no column {column!r}")
        by_star: dict[str, list[_Curve]] = {}
        iterator = tqdm(
            range(len(survey)), desc=f"preparing {name}", disable=None if progress is None else not progress
        )
        for i in iterator:
            cls, period = str(survey.columns["class"][i]), float(survey.columns["period"][i])
            if cls not in CLASS_INFO:
                reasons[(cls, "unknown class")] += 1
            elif not (np.isfinite(period) and period > 0):
                reasons[(cls, "no period")] += 1
            else:
                curves = [c for c in _fold_star(survey, i, cls, period, config, reasons) if c.band in bands]
                by_star.setdefault(str(survey.columns["id"][i]), []).extend(curves)
                kept[cls] += len(curves)
        groups.extend((name, survey, curves) for curves in by_star.values() if curves)
    if not groups:
        raise InputError("no curve is left after preparation")
    dropped: Counter = Counter()
    for (cls, _), n in reasons.items():
        dropped[cls] += n
    report = PreparationReport(kept=dict(kept), dropped=dict(dropped), reasons=dict(reasons))
    return _assemble(groups, tuple(bands)), report


def _assemble(groups: list[tuple[str, LightCurves, list[_Curve]]], bands: tuple[str, ...]) -> PreparedCurves:
    rows: dict[str, list[Any]] = {f.name: [] for f in fields(PreparedCurves)}
    counts: list[int] = []
    grid = np.arange(N_BINS) / N_BINS
    for survey_name, survey, curves in groups:
        best = max(curves, key=lambda c: c.weight)
        cls = str(survey.columns["class"][best.star])
        # every band of a star is turned by the shift of its best one, so that lags between bands survive
        shift = alignment_shift(best.fit.coefficients, base_harmonic=CLASS_INFO[cls].base_harmonic)
        scale = best.amplitude * AMPLITUDE_IN_V.get(best.band, 1.0)
        first = len(counts)
        for curve in curves:
            coefficients = rotate_coefficients(curve.fit.coefficients, shift)
            rows["star_id"].append(str(survey.columns["id"][curve.star]))
            rows["survey"].append(survey_name)
            rows["cls"].append(CLASSES.index(cls))
            rows["subclass"].append(str(survey.columns["subclass"][curve.star]) if "subclass" in survey.columns else "")
            rows["band"].append(bands.index(curve.band))
            rows["params"].append(
                [float(survey.columns[p][curve.star]) if p in survey.columns else np.nan for p in PHYSICAL]
            )
            rows["mean"].append(curve.fit.mean)
            rows["scale"].append(scale)
            rows["amplitude"].append(curve.amplitude)
            rows["shift"].append(shift)
            rows["scatter_ratio"].append(curve.fit.scatter_ratio)
            rows["fit_grid"].append((fourier_series(coefficients, grid) / scale).astype(np.float32))
            others = [first + k for k, c in enumerate(curves) if c is not curve and c.band != curve.band]
            rows["partner"].append(others[0] if others else -1)
            rows["n_harmonics"].append(0)
            phase = (curve.phase - shift) % 1.0
            rows["phase"].append(np.where(phase >= 1.0, 0.0, phase).astype(np.float32) % 1.0)
            rows["value"].append(((curve.mag - curve.fit.mean) / scale).astype(np.float32))
            rows["sigma"].append((curve.err * curve.fit.scatter_ratio / scale).astype(np.float32))
            counts.append(curve.mag.size)
    flat = ("phase", "value", "sigma")
    arrays: dict[str, Any] = {k: np.concatenate(v) for k, v in rows.items() if k in flat}
    arrays |= {k: np.asarray(v) for k, v in rows.items() if k not in flat and v}
    arrays["offsets"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    arrays["bands"] = bands
    return PreparedCurves(**arrays)


def bin_curves(curves: PreparedCurves, *, n_bins: int = N_BINS) -> NDArray[np.float32]:
    """Inverse-variance weighted phase bins: the encoder's view of a curve, whatever its sampling.

    Returns
    -------
    ndarray, shape (n, 3, n_bins)
        Bin mean, shrunk towards the regularised series by one observation of typical error; log(1 + weight), the
        weight in units of such an observation; the series itself.
    """
    n = len(curves)
    counts = np.diff(curves.offsets)
    index = np.repeat(np.arange(n), counts)
    bins = np.minimum((curves.phase.astype(np.float64) * n_bins + 0.5).astype(np.int64) % n_bins, n_bins - 1)
    flat = index * n_bins + bins
    typical = np.array(
        [np.median(curves.sigma[a:b]) for a, b in zip(curves.offsets[:-1], curves.offsets[1:], strict=True)]
    )
    weight = (typical[index] / curves.sigma) ** 2
    # residuals about the series are averaged, so that a slope within a bin does not leak into its mean
    grid = curves.fit_grid.astype(np.float64)
    position = curves.phase.astype(np.float64) * n_bins
    low = np.floor(position).astype(np.int64) % n_bins
    fraction = position - np.floor(position)
    series = grid[index, low] * (1 - fraction) + grid[index, (low + 1) % n_bins] * fraction
    total = np.bincount(flat, weights=weight, minlength=n * n_bins).reshape(n, n_bins)
    moment = np.bincount(flat, weights=weight * (curves.value - series), minlength=n * n_bins).reshape(n, n_bins)
    out = np.empty((n, 3, n_bins), dtype=np.float32)
    out[:, 0] = grid + moment / (total + 1.0)
    out[:, 1] = np.log1p(total)
    out[:, 2] = grid
    return out
