"""Batches of prepared curves as tensors, with random masking of what the network is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..prepare.augment import AugmentConfig
from ..prepare.conditioning import Conditioner
from ..prepare.dataset import PreparedCurves, bin_curves
from ..prepare.reconstruct import N_TERMS
from ..taxonomy import PHYSICAL
from .periodic import low_pass

__all__ = ["CurveBatch", "CurveBatches", "encoder_extras", "n_encoder_condition"]

_N_EXTRAS = 3
_SERIES_HARMONICS = 10


def n_encoder_condition(conditioner: Conditioner) -> int:
    """Length of the encoder's condition: the star's, the band of the input, amplitude, noise and number of points."""
    return conditioner.n_star + len(conditioner.bands) + _N_EXTRAS


def encoder_extras(curves: PreparedCurves, conditioner: Conditioner) -> NDArray[np.float32]:
    """Band of the input, standardised amplitude scale, log noise and log number of points.

    Returns
    -------
    ndarray, shape (n, n_bands + 3)
    """
    counts, noise = np.diff(curves.offsets), _typical_sigma(curves)
    bands = np.eye(len(conditioner.bands), dtype=np.float32)[curves.band]
    extras = np.stack(
        [
            np.clip(conditioner.standard_scale(curves.cls, curves.scale), -4, 4),
            np.log10(np.maximum(noise, 1e-3)) + 1.0,
            np.log10(counts / 200.0),
        ],
        axis=1,
    )
    return np.concatenate([bands, extras.astype(np.float32)], axis=1)


def _typical_sigma(curves: PreparedCurves) -> NDArray[np.float64]:
    edges = zip(curves.offsets[:-1], curves.offsets[1:], strict=True)
    return np.array([float(np.median(curves.sigma[a:b])) for a, b in edges])


def _as_series(bins: Tensor, chosen: Tensor) -> Tensor:
    """Bins of which, in chosen rows, only the first harmonics of the series are left, and no observation."""
    series = low_pass(bins[:, 2], torch.full_like(chosen, N_TERMS, dtype=torch.int64))
    reduced = torch.stack([series, torch.zeros_like(series), series], dim=1)
    return torch.where(chosen[:, None, None], reduced, bins)


@dataclass(frozen=True, kw_only=True)
class CurveBatch:
    """One batch; see :meth:`lcgen.model.cvae.PeriodicCVAE.terms` for the shapes."""

    bins: Tensor
    encoder_condition: Tensor
    decoder_condition: Tensor
    phase: Tensor
    value: Tensor
    sigma: Tensor
    weight: Tensor
    n_harmonics: Tensor


class CurveBatches:
    """Prepared curves on a device, ready to be drawn in batches.

    Parameters
    ----------
    curves : PreparedCurves
    conditioner : Conditioner
    n_points : int
        Observations used of each curve at a time; longer curves are subsampled and weighted accordingly.
    fill : bool
        Fill every slot, repeating observations of short curves, as the published networks need.
    device : str or torch.device
    """

    def __init__(
        self,
        curves: PreparedCurves,
        conditioner: Conditioner,
        *,
        n_points: int = 256,
        fill: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        self.curves, self.conditioner, self.n_points = curves, conditioner, n_points
        self.fill = fill
        self.device = torch.device(device)
        self.bins = self._put(bin_curves(curves))
        self.n_harmonics = self._put(curves.n_harmonics)
        self.bins = _as_series(self.bins, self.n_harmonics > 0)
        self.star = self._put(conditioner.star_features(curves.cls, curves.subclass, curves.params, curves.survey))
        self.extras = self._put(encoder_extras(curves, conditioner))
        self.decoder = self._put(conditioner.decoder_features(curves.cls, curves.subclass, curves.params, curves.band))
        self.start = self._put(curves.offsets[:-1])
        self.count = self._put(np.diff(curves.offsets))
        self.observations = self._put(np.stack([curves.phase, curves.value, curves.sigma]))
        self.partner = self._put(curves.partner)
        self.noise = self._put(_typical_sigma(curves).astype(np.float32))
        self.period_width = self._put(conditioner.log_period_width(curves.cls))
        n_class, n_sub = len(conditioner.classes), len(conditioner.subclasses)
        self._subclass_columns = slice(n_class, n_class + n_sub)
        first = n_class + n_sub + 1
        self._value_columns = slice(first, first + len(PHYSICAL))
        self._mask_columns = slice(first + len(PHYSICAL), first + 2 * len(PHYSICAL))

    def _put(self, array: NDArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def __len__(self) -> int:
        return len(self.curves)

    def get(
        self,
        rows: Tensor,
        *,
        generator: torch.Generator | None = None,
        swap: float = 0.0,
        drop_parameters: float = 0.0,
        drop_subclass: float = 0.0,
        drop_class: float = 0.0,
        period_jitter: float = 0.0,
        input_noise: float = 0.0,
        truncate: float = 0.0,
        augment: AugmentConfig | None = None,
    ) -> CurveBatch:
        """The curves in `rows`, with random masking where a generator is given.

        Parameters
        ----------
        rows : Tensor of int64, shape (n,)
            Curves that the encoder sees.
        generator : torch.Generator, optional
            Source of all random choices; without it nothing is masked and points are taken evenly.
        swap : float
            Probability that the decoder has to describe the star's other band, where there is one.
        drop_parameters : float
            Probability that a known parameter is hidden, one by one; half of that, that all but the period are.
        drop_subclass : float
            Probability that the subclass is hidden.
        drop_class : float
            Probability that the encoder does not see the class, so that it reads curves of rare classes as it reads
            all others.
        period_jitter : float
            Standard deviation by which the decoder's log period is moved, in units of the class's width: without it
            the exact period gives a star of a rare class away, and the decoder learns that star by heart.
        input_noise : float
            Noise added to what the encoder sees, in units of the noise that is there: of the phase bins, and a fifth
            of it, in class widths, of period, amplitude, noise and number of points.
        truncate : float
            Probability that the encoder sees no more of a measured curve than of a reconstructed one, its first three
            harmonics, while the decoder still has to describe all of it.
        augment : AugmentConfig, optional
            Changes to the observations; only with a generator.
        """
        n = rows.numel()

        def draw(*shape: int) -> Tensor:
            if generator is None:
                return torch.ones(shape, device=self.device)
            return torch.rand(shape, generator=generator, device=self.device)

        other = self.partner[rows]
        target = torch.where((draw(n) < swap) & (other >= 0), other, rows)
        star = self.star[rows].clone()
        decoder = self.decoder[target].clone()
        hide = (draw(n, len(PHYSICAL)) < drop_parameters) | (draw(n, 1) < 0.5 * drop_parameters)
        hide[:, PHYSICAL.index("period")] = False
        star[:, self._value_columns] *= ~hide
        star[:, self._mask_columns] *= ~hide
        known = (draw(n, 1) >= drop_subclass).float()
        star[:, self._subclass_columns] *= known
        decoder[:, self._subclass_columns] *= known
        if generator is not None and drop_class:
            star[:, : self._subclass_columns.stop] *= (draw(n, 1) >= drop_class).float()

        if generator is not None and period_jitter:
            move = period_jitter * torch.randn((n, 1), generator=generator, device=self.device)
            decoder[:, -1:] += move
            decoder[:, -2:-1] += move * self.period_width[target]

        bins, extras = self.bins[rows], self.extras[rows]
        if generator is not None and truncate:
            bins = _as_series(bins, draw(n) < truncate)
        if generator is not None and input_noise:

            def normal(*shape: int) -> Tensor:
                return input_noise * torch.randn(shape, generator=generator, device=self.device)

            noise = self.noise[rows].unsqueeze(1) * torch.exp(-0.5 * bins[:, 1]) * normal(n, bins.shape[2])
            # of white noise the series would have followed the low harmonics
            slow = torch.fft.rfft(noise)
            slow[:, _SERIES_HARMONICS + 1 :] = 0.0
            series = bins[:, 2] + torch.fft.irfft(slow, n=bins.shape[2])
            bins = torch.stack([bins[:, 0] + noise, bins[:, 1], series], dim=1)
            move = 0.2 * normal(n, 1)
            star[:, self._value_columns.start : self._value_columns.start + 1] += move
            star[:, self._value_columns.start - 1 : self._value_columns.start] += move * self.period_width[target]
            extras = torch.cat([extras[:, :-_N_EXTRAS], extras[:, -_N_EXTRAS:] + 0.2 * normal(n, _N_EXTRAS)], dim=1)

        count = self.count[target].unsqueeze(1)
        step = torch.arange(self.n_points, device=self.device).unsqueeze(0)
        if generator is None:
            spread = (step.double() * count / self.n_points).long()
        else:
            spread = (draw(n, self.n_points).double() * count).long()
        if self.fill:
            index, valid = torch.where(count >= self.n_points, spread, step % count), torch.ones_like(spread).float()
        else:
            index = torch.where(count > self.n_points, spread, step).clamp_max(count - 1)
            valid = (step < count).float()
        if generator is not None and augment is not None and augment.undersample < 1.0:
            share = augment.undersample + (1.0 - augment.undersample) * draw(n, 1)
            thinned = valid * (draw(n, self.n_points) < share)
            valid = torch.where(thinned.sum(1, keepdim=True) > 0, thinned, valid)
        weight = valid * count / valid.sum(1, keepdim=True)
        phase, value, sigma = self.observations[:, self.start[target].unsqueeze(1) + index]
        if generator is not None and augment is not None:
            if augment.resample:
                value = value + sigma * torch.randn(value.shape, generator=generator, device=self.device)
            if augment.phase_shift:
                phase = (phase + augment.phase_shift * (2.0 * draw(n, 1) - 1.0)) % 1.0
        return CurveBatch(
            bins=bins,
            encoder_condition=torch.cat([star, extras], dim=1),
            decoder_condition=decoder,
            phase=phase,
            value=value,
            sigma=torch.where(valid > 0, sigma, torch.ones_like(sigma)),
            weight=weight.float(),
            n_harmonics=self.n_harmonics[target],
        )
