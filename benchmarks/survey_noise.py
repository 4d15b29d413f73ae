"""How well the error models of the training surveys agree with the surveys' own data.

    python benchmarks/survey_noise.py --data DATA --model NAME_OR_FOLDER --output survey_noise.json

Two parts. (1) The quoted errors at each magnitude: quantiles of those drawn from the model over those of the data.
(2) The residuals of real stars about their folded curves: Fourier series, least squares, after clipping at five robust
standard deviations; residuals of all observations, in units of the quoted error and of the star's own robust scatter.
Excess kurtosis and the shares beyond 3 and 5 robust standard deviations say how Gaussian they are; the correlation
within nights is the mean product of pairs over the variance, with what the fit has absorbed given back.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares
from scipy.special import ndtr, ndtri

from lcgen import load_generator
from lcgen.catalog import find_periods, read_pack
from lcgen.lightcurve import LightCurves, phase_of
from lcgen.observe import NoiseRequest, SurveyNoise, night_number
from lcgen.prepare.fourier import harmonics
from lcgen.rng import stream

PACKS = (
    ("CSS", "css_south_v.h5", "V"),
    ("OGLE-III", "ogle3_lmc_cep_i.h5", "I"),
    ("OGLE-III", "ogle3_lmc_cep_v.h5", "V"),
    ("OGLE-IV", "ogle4_lmc_cep_i.h5", "I"),
    ("OGLE-IV", "ogle4_lmc_cep_v.h5", "V"),
    ("ASAS", "asas_v.h5", "V"),
    ("ASAS", "asas_i_rrlyr.h5", "I"),
)
# kinds of stars whose curves a series of so many terms follows
KINDS = {
    ("ECL", "EW"): 8,
    ("RRLYR", "RRc"): 6,
    ("RRLYR", "RRab"): 12,
    ("CEP", "F"): 12,
    ("CEP", "1O"): 8,
}
LEVELS = (0.01, 0.1, 0.5, 0.9, 0.99)
MIN_OBSERVATIONS = 60


def quoted_errors(model: SurveyNoise, band: str, pack: LightCurves) -> dict[str, Any]:
    """Drawn over real quantiles of the quoted errors, in bins of half a magnitude with 2,000 observations or more."""
    mag, err = pack.mag.astype(float), pack.mag_err.astype(float)
    rows: list[dict[str, Any]] = []
    for low in np.arange(np.floor(mag.min()), mag.max(), 0.5):
        own = (mag >= low) & (mag < low + 0.5)
        if own.sum() < 2000:
            continue
        draw = stream(1, "quoted", int(2 * low))
        n = min(int(own.sum()), 50_000)
        picked = np.flatnonzero(own)[draw.permutation(int(own.sum()))[:n]]
        request = NoiseRequest(
            mag=mag[picked],
            band_index=np.zeros(n, dtype=np.uint8),
            band_names=(band,),
            depth5=None,
            class_name=np.full(n, ""),
            normals=draw.standard_normal(n),
            uniforms=draw.random(n),
        )
        ratio = np.quantile(model.measure(request).mag_err, LEVELS) / np.quantile(err[own], LEVELS)
        star = pack.star_index[own]
        log_err = np.log(err[own])
        counts = np.maximum(np.bincount(star), 1)
        mean = np.bincount(star, log_err) / counts
        between = np.average((mean[star] - log_err.mean()) ** 2) / max(log_err.var(), 1e-12)
        rows.append({"mag": float(low), "n": int(own.sum()), "ratio": ratio.round(3).tolist(), "between": between})
    worst = np.abs(np.log([r["ratio"] for r in rows])).max(0)
    return {
        "bins": rows,
        "levels": LEVELS,
        "worst": np.expm1(worst).round(3).tolist(),
        "typical": np.expm1(np.median(np.abs(np.log([r["ratio"] for r in rows])), axis=0)).round(3).tolist(),
        "share of the variance of log error between stars": float(np.median([r["between"] for r in rows])),
    }


def residuals(
    mjd: NDArray, mag: NDArray, err: NDArray, period: float, n_terms: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]] | None:
    """Residuals over quoted errors, which were fitted, and the hat matrix of the fit (over all observations)."""
    design = np.column_stack([np.ones(mjd.size), harmonics(phase_of(mjd, period), n_terms)]) / err[:, None]
    y, keep = mag / err, np.ones(mjd.size, dtype=bool)
    for _ in range(5):
        solution = np.linalg.lstsq(design[keep], y[keep], rcond=None)[0]
        z = y - design @ solution
        spread = 1.4826 * np.median(np.abs(z[keep]))
        new = np.abs(z) < 5.0 * spread
        if new.sum() < max(MIN_OBSERVATIONS, 3 * design.shape[1]):
            return None
        if np.array_equal(new, keep):
            break
        keep = new
    inverse = np.linalg.pinv(design[keep].T @ design[keep])
    return z, keep, design @ inverse @ design.T


def star_figures(z: NDArray, keep: NDArray, hat: NDArray, mjd: NDArray) -> dict[str, Any]:
    """Shape of the residuals of one star, and sums over pairs of the same night."""
    n = int(keep.sum())
    free = n - float(np.trace(hat[np.ix_(keep, keep)]))
    robust = 1.4826 * np.median(np.abs(z)) * np.sqrt(n / free)
    kept, night = z[keep], night_number(mjd[keep])
    variance = float(kept @ kept) / free
    same = (night[:, None] == night[None, :]) & ~np.eye(n, dtype=bool)
    product = np.outer(kept, kept) / variance + hat[np.ix_(keep, keep)]
    return {
        "ratio": robust,
        "beyond3": float(np.mean(np.abs(z) > 3.0 * robust)),
        "beyond5": float(np.mean(np.abs(z) > 5.0 * robust)),
        "kurtosis": float(np.mean(kept**4) / np.mean(kept**2) ** 2 - 3.0),
        "pairs": int(same.sum()) // 2,
        "products": 0.5 * float(product[same].sum()),
        "z": (z / robust).tolist(),
    }


def residual_shape(pack: LightCurves, cls: str, subclass: str, n_terms: int, n_stars: int) -> dict[str, Any] | None:
    """The figures of one kind of star in one pack."""
    columns = pack.columns
    name = np.char.partition(np.asarray(columns["subclass"], dtype=str), "/")[:, 0]
    usable = (columns["class"] == cls) & (name == subclass)
    usable &= np.isfinite(columns["period"]) | (pack.meta["survey"] == "ASAS")
    usable &= np.diff(pack.offsets) >= MIN_OBSERVATIONS + 2 * n_terms
    rows = stream(1, f"stars/{cls}/{subclass}").permutation(np.flatnonzero(usable))[:n_stars]
    done: list[dict[str, Any]] = []
    for star in find_periods(pack.take(rows), progress=False):
        if not np.isfinite(star.star["period"]):
            continue
        found = residuals(
            star.mjd, star.mag.astype(float), star.mag_err.astype(float), float(star.star["period"]), n_terms
        )
        if found is not None:
            done.append(star_figures(*found, star.mjd))
    if len(done) < 30:
        return None
    pairs, products = (np.array([d[k] for d in done], dtype=float) for k in ("pairs", "products"))
    draws = stream(1, "bootstrap").integers(0, len(done), (400, len(done)))
    correlation = products[draws].sum(1) / np.maximum(pairs[draws].sum(1), 1)
    z = np.concatenate([d["z"] for d in done])
    share, width = outliers(float(np.mean(np.abs(z) > 3.0)), float(np.mean(np.abs(z) > 5.0)))
    return {
        "stars": len(done),
        "observations": z.size,
        "ratio": float(np.median([d["ratio"] for d in done])),
        "ratio 16-84 %": np.quantile([d["ratio"] for d in done], [0.16, 0.84]).round(3).tolist(),
        "beyond 3 sigma": float(np.mean(np.abs(z) > 3.0)),
        "beyond 5 sigma": float(np.mean(np.abs(z) > 5.0)),
        "outlier share": round(share, 4),
        "outlier width": round(width, 2),
        "excess kurtosis within 5 sigma": float(np.median([d["kurtosis"] for d in done])),
        "quantiles of |z|": np.quantile(np.abs(z), [0.5, 0.6827, 0.9, 0.9545, 0.99, 0.9973]).round(3).tolist(),
        "pairs in a night": int(pairs.sum()),
        "night correlation": float(products.sum() / max(pairs.sum(), 1)),
        "its error": float(correlation.std()),
    }


def outliers(beyond3: float, beyond5: float) -> tuple[float, float]:
    """Share and width of the outliers among Gaussian residuals that leave these shares beyond 3 and 5 robust sigma."""

    def tail(limit: float, share: float, width: float) -> float:
        return (1.0 - share) * 2.0 * ndtr(-limit) + share * 2.0 * ndtr(-limit / width)

    def misfit(x: NDArray) -> NDArray[np.float64]:
        share, width = 0.4 / (1.0 + np.exp(-x[0])), 1.0 + np.exp(x[1])
        core = brentq(lambda q: tail(q, share, width) - 0.5, 0.1, 5.0) / ndtri(0.75)
        return np.log([tail(3.0 * core, share, width) / beyond3, tail(5.0 * core, share, width) / beyond5])

    x = least_squares(misfit, [-3.0, 1.0]).x
    return float(0.4 / (1.0 + np.exp(-x[0]))), float(1.0 + np.exp(x[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with lightcurves/")
    parser.add_argument("--model", help="name or folder of a generator; the bundled default where not given")
    parser.add_argument("--stars", type=int, default=300, help="stars of each kind; default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("survey_noise.json"))
    options = parser.parse_args()
    models = load_generator(options.model).noise_models
    out: dict[str, Any] = {}
    for survey, file, band in PACKS:
        pack = read_pack(options.data / "lightcurves" / file)
        name = f"{survey} {band}"
        out[name] = {"quoted errors": quoted_errors(models[survey], band, pack), "residuals": {}}
        figures = out[name]["quoted errors"]
        print(f"{name}: quoted errors, |drawn / real - 1| at {LEVELS}:")
        print(f"  typical {figures['typical']}, worst {figures['worst']}")
        for (cls, subclass), n_terms in KINDS.items():
            shape = residual_shape(pack, cls, subclass, n_terms, options.stars)
            if shape is not None:
                out[name]["residuals"][f"{cls}/{subclass}"] = shape
                print(f"  {cls}/{subclass}: {json.dumps(shape)}")
    options.output.write_text(json.dumps(out, indent=1))
    print(f"\nwritten: {options.output}")


if __name__ == "__main__":
    main()
