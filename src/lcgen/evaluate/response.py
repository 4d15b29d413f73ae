"""How much the curves of a generator move with one parameter, all else equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rng import stream
from ..taxonomy import PHYSICAL
from .sources import N_PHASE

__all__ = ["N_RESPONSE", "Response", "responses"]

N_RESPONSE = 300
"""Draws whose mean curve is followed when a parameter changes."""

_N_BOOT = 200
_REFERENCE_BAND = "V"


@dataclass(frozen=True, kw_only=True)
class Response:
    """How much the mean curve moves with one parameter, all else equal.

    Attributes
    ----------
    cls, subclass : str
    period : float
        Of all draws [d].
    parameter : str
    low, high : float
        The values: 16th and 84th percentile of the draws at that period; of all classes where this one has none.
    supported : bool
        Whether the data of the training support the parameter for the class.
    moved, error : float
        RMS over phase of the difference of the mean curves, over the scatter among draws, and its bootstrap error.
    """

    cls: str
    subclass: str
    period: float
    parameter: str
    low: float
    high: float
    supported: bool
    moved: float
    error: float

    @property
    def invented(self) -> bool:
        """Whether the curve moves with a parameter that no data support."""
        return not self.supported and self.moved > 0.0


def responses(generator: Any, *, seed: int = 1, n: int = N_RESPONSE) -> tuple[Response, ...]:
    """How much the mean curve of each class moves with each physical parameter.

    All draws have the median period of the most frequent subclass. One parameter goes from the 16th to the 84th
    percentile of what is drawn there; the random numbers and all other parameters stay.

    Parameters
    ----------
    generator : LightCurveGenerator
    seed : int
    n : int
        Draws.

    Returns
    -------
    tuple of Response
        Without parameters that are known for no class.
    """
    bases: dict[str, tuple[str, float, dict[str, NDArray]]] = {}
    for cls in generator.classes:
        shares = generator.population.subclasses(cls)
        subclass = max(shares, key=lambda s: shares[s])
        found = generator.draw(cls, n, subclass=subclass, seed=seed).columns["period"]
        period = float(np.median(found))
        bases[cls] = (
            subclass,
            period,
            generator.draw(cls, n, subclass=subclass, params={"period": period}, seed=seed, extrapolate=True).columns,
        )
    out = []
    for parameter in PHYSICAL:
        if parameter == "period":
            continue
        pooled = np.concatenate([np.asarray(c[parameter], dtype=float) for _, _, c in bases.values()])
        for cls, (subclass, period, columns) in bases.items():
            known = np.asarray(columns[parameter], dtype=float)
            known = known[np.isfinite(known)] if np.isfinite(known).any() else pooled[np.isfinite(pooled)]
            if not known.size:
                continue
            low, high = (float(v) for v in np.percentile(known, [16, 84]))
            others = {p: columns[p] for p in PHYSICAL if p != parameter and np.isfinite(columns[p]).any()}
            moved, error = _moved(generator, cls, columns["subclass"], others, parameter, (low, high), seed)
            out.append(
                Response(
                    cls=cls,
                    subclass=subclass,
                    period=period,
                    parameter=parameter,
                    low=low,
                    high=high,
                    supported=parameter in generator.influences(cls),
                    moved=moved,
                    error=error,
                )
            )
    order = list(bases)
    return tuple(sorted(out, key=lambda r: order.index(r.cls)))


def _moved(
    generator: Any,
    cls: str,
    subclass: NDArray[np.str_],
    others: Mapping[str, NDArray],
    parameter: str,
    values: tuple[float, float],
    seed: int,
) -> tuple[float, float]:
    n = subclass.size
    band = _REFERENCE_BAND if _REFERENCE_BAND in generator.bands else generator.bands[0]
    low, high = (
        generator.draw(
            cls, n, subclass=subclass, params={**others, parameter: np.full(n, v)}, seed=seed, extrapolate=True
        ).template(N_PHASE, band)
        for v in values
    )
    difference = high - low
    scatter = max(float(np.sqrt(low.var(axis=0).mean())), 1e-12)

    def size(rows: NDArray[np.int64] | slice) -> float:
        return float(np.sqrt(np.mean(difference[rows].mean(axis=0) ** 2))) / scatter

    random = stream(seed, f"evaluate/response/{cls}/{parameter}")
    boots = [size(random.integers(0, n, n)) for _ in range(_N_BOOT)]
    return size(slice(None)), float(np.std(boots))
