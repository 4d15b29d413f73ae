"""What a trial is judged by: the objective, from a report card, and the yardstick that ends hopeless trials early."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..rng import stream
from .config import TrainConfig

if TYPE_CHECKING:
    from ..evaluate import ReportCard
    from ..model.batches import CurveBatches
    from .data import TrainingData

__all__ = ["MIN_GROUP", "Score", "Yardstick", "check_groups", "judged_split", "score_card"]

MIN_GROUP = 100
"""Groups of more stars than this count in the objective."""

_COPIES = 0.10
_MAX_CURVES = 2048


@dataclass(frozen=True, kw_only=True)
class Score:
    """The objective and its parts, each a mean over groups; less is better, 0 the best there is.

    Attributes
    ----------
    shape, full : float
        Excess of the two-sample AUC over 0.5, without and with period and amplitude.
    calibration : float
        Kolmogorov-Smirnov distance of the rank histograms from uniform, mean over amplitude, R21 and phi21.
    copies : float
        Excess of the copy rate over 0.10.
    n_groups : int
    """

    shape: float
    full: float
    calibration: float
    copies: float
    n_groups: int

    @property
    def objective(self) -> float:
        """The sum of the four parts."""
        return self.shape + self.full + self.calibration + self.copies


def score_card(card: ReportCard) -> Score:
    r"""The objective of a report card.

    Over the groups :math:`g` (class, survey and band; fundamental-mode Cepheids also on their own) with more than
    :data:`MIN_GROUP` stars

    .. math:: \frac{1}{G} \sum_g \max(0, A_g - 0.5) + \max(0, F_g - 0.5) + K_g + \max(0, C_g - 0.10)

    with the two-sample AUC of shapes A, and with period and amplitude F, the mean Kolmogorov-Smirnov distance K of
    the rank histograms of amplitude, R21 and phi21 from uniform, and the share C of noise-free curves that copy a
    training star.

    Raises
    ------
    ConfigError
        If no group is large enough.
    """
    groups = [g for g in card.groups if g.n > MIN_GROUP]
    if not groups:
        raise ConfigError(f"no class, survey and band has more than {MIN_GROUP} stars to judge a trial on")
    parts = []
    for group in groups:
        model = next(iter(group.sources.values()))
        parts.append(
            (
                max(0.0, model.shape.value - 0.5),
                max(0.0, model.full.value - 0.5),
                float(np.mean([h.ks for h in group.calibration.values()])) if group.calibration else 0.0,
                max(0.0, model.memory.copy_rate - _COPIES) if model.memory is not None else 0.0,
            )
        )
    shape, full, calibration, copies = (float(v) for v in np.mean(parts, axis=0))
    score = Score(shape=shape, full=full, calibration=calibration, copies=copies, n_groups=len(groups))
    if not math.isfinite(score.objective):
        raise ConfigError(f"the card of the trial is not finite: {score}")
    return score


def judged_split(data: TrainingData) -> NDArray[np.int64]:
    """The split as the report card wants it, with the validation stars in the place of the test stars.

    Test stars get the number of validation stars, of which a card makes no use: what was chosen by them could not be
    judged by them. Curves that were reconstructed from Fourier terms are not judged either.
    """
    split = np.array([0, 2, 1])[data.split]
    return np.where((split == 2) & (data.curves.n_harmonics > 0), 1, split)


def check_groups(data: TrainingData) -> None:
    """Whether there is anything to judge trials on.

    Raises
    ------
    ConfigError
        If no class, survey and band has enough validation stars.
    """
    curves = data.curves.take(judged_split(data) == 2)
    keys = [f"{c} {s} {curves.bands[b]}" for c, s, b in zip(curves.class_name, curves.survey, curves.band, strict=True)]
    names, counts = np.unique(keys, return_counts=True)
    if not (counts > MIN_GROUP).any():
        found = ", ".join(f"{n}: {c}" for n, c in zip(names, counts, strict=True)) or "none"
        raise ConfigError(
            f"trials are judged on groups of more than {MIN_GROUP} validation stars, and there is none ({found}); "
            "raise data.max_stars or the second share of data.split"
        )


class Yardstick:
    """A validation loss that means the same for all trials.

    The loss that a trial minimises depends on its own beta, noise floor, balance and penalty, so that it cannot be
    compared. This is the misfit plus the divergence with weight one, with the noise floor, the Huber limit and the
    balance of the configuration that is varied, of at most 2,048 validation curves.

    Parameters
    ----------
    base : TrainConfig
    data : TrainingData
    seed : int
        Decides which curves.
    """

    def __init__(self, base: TrainConfig, data: TrainingData, *, seed: int) -> None:
        from ..model.cvae import PeriodicConfig
        from ..prepare.augment import class_weights
        from . import conditioner_of, network_config
        from .loop import choose_device, group_labels

        rows = np.flatnonzero(data.split == 1)
        rows = np.sort(stream(seed, "tune/yardstick").permutation(rows)[:_MAX_CURVES])
        self._curves, self._conditioner = data.curves.take(rows), conditioner_of(data, base.data.secondary)
        self._weights = class_weights(group_labels(self._curves), power=base.training.balance)
        self._points, self._device = base.training.points, choose_device(base.training.device)
        _, network = network_config(base)
        self._reference = network if isinstance(network, PeriodicConfig) else PeriodicConfig()
        self._batches: dict[bool, CurveBatches] = {}

    def measure(self, model: Any, *, fill: bool) -> float:
        """The loss of a network; `fill` for the published ones, see :class:`lcgen.model.batches.CurveBatches`."""
        import torch

        from ..model.batches import CurveBatches
        from ..model.cvae import gaussian_kl, profiled_misfit

        if fill not in self._batches:
            self._batches[fill] = CurveBatches(
                self._curves, self._conditioner, n_points=self._points, fill=fill, device=self._device
            )
        batches, total = self._batches[fill], 0.0
        was_training = model.training
        model.eval()
        with torch.no_grad():
            for start in range(0, len(batches), 512):
                rows = torch.arange(start, min(start + 512, len(batches)), device=batches.device)
                batch = batches.get(rows)
                mean, log_variance = model.encode(batch)
                sigma = torch.sqrt(batch.sigma**2 + self._reference.noise_floor**2)
                prediction = model.predict(mean, batch)
                loss = profiled_misfit(prediction, batch.value, sigma, batch.weight, self._reference.huber)
                loss = loss + gaussian_kl(mean, log_variance).sum(1)
                total += float(loss.cpu().double().numpy() @ self._weights[start : start + rows.numel()])
        model.train(was_training)
        return total
