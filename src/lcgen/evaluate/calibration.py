"""Do the true features of a star fall where the generated spread says they should?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .features import FeatureTable

__all__ = ["CALIBRATED", "RankHistogram", "rank_histogram"]

CALIBRATED = ("log_amplitude", "R21", "phi21")
"""Features whose ranks are tested."""

_N_BINS = 10


@dataclass(frozen=True, kw_only=True)
class RankHistogram:
    """Ranks of true values among generated ones.

    Attributes
    ----------
    counts : tuple of int
        Stars by rank, in ten equal bins from 0 to 1.
    ks : float
        Kolmogorov-Smirnov distance of the ranks from a uniform distribution.
    bias : float
        Mean rank minus one half: positive where real values are larger than generated ones.
    spread : float
        Standard deviation of the ranks over that of a uniform distribution: above 1 where the generated spread is too
        narrow.
    n : int
        Stars.
    """

    counts: tuple[int, ...]
    ks: float
    bias: float
    spread: float
    n: int


def _ranks(true: NDArray[np.float64], drawn: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    below = (drawn < true[:, None]).sum(axis=1)
    equal = (drawn == true[:, None]).sum(axis=1)
    # one place in n + 1, ties and the place itself at random, so that the rank of a true draw is uniform in [0, 1)
    return (below + random.random(true.size) * (equal + 1)) / (drawn.shape[1] + 1)


def rank_histogram(
    feature: str, real: FeatureTable, spread: FeatureTable, n_draws: int, random: np.random.Generator
) -> RankHistogram:
    """Ranks of real features among `n_draws` generated ones a star.

    Parameters
    ----------
    feature : str
        Angles (``phi21``) are ranked in the cut circle opposite to the circular mean of the draws.
    real : FeatureTable
        One row a star.
    spread : FeatureTable
        ``n_stars * n_draws`` rows, star after star.
    n_draws : int
    random : numpy.random.Generator
        Breaks ties.
    """
    true, drawn = real.column(feature), spread.column(feature).reshape(-1, n_draws)
    if feature.startswith("phi"):
        centre = np.angle(np.exp(1j * drawn).mean(axis=1))
        true = np.angle(np.exp(1j * (true - centre)))
        drawn = np.angle(np.exp(1j * (drawn - centre[:, None])))
    rank = np.sort(_ranks(true, drawn, random))
    n = rank.size
    steps = np.arange(n + 1) / n
    ks = float(max(np.max(steps[1:] - rank), np.max(rank - steps[:-1])))
    counts = np.histogram(rank, bins=_N_BINS, range=(0.0, 1.0))[0]
    return RankHistogram(
        counts=tuple(int(c) for c in counts),
        ks=ks,
        bias=float(rank.mean() - 0.5),
        spread=float(rank.std() * np.sqrt(12.0)),
        n=n,
    )
