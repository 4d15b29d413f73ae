"""Temporal convolutions on the circle of phase.

All convolutions pad by wrapping around, and the decoder emits one cycle on a uniform grid of phases. A curve is
therefore periodic by construction and does not depend on where it is observed; between grid points it is the
periodic cubic of :func:`interpolate_periodic`, continuous in value and slope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ACTIVATIONS", "PeriodicDecoder", "PeriodicEncoder", "circular_upsample", "interpolate_periodic", "low_pass"]

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {"silu": F.silu, "hardswish": F.hardswish}
"""Activation functions of the decoder; all take ``inplace``."""


def circular_upsample(x: Tensor) -> Tensor:
    """Twice the resolution by linear interpolation on the circle.

    Parameters
    ----------
    x : Tensor, shape (n, channels, length)

    Returns
    -------
    Tensor, shape (n, channels, 2 * length)
        Even points are those of `x`.
    """
    middle = 0.5 * (x + torch.roll(x, -1, dims=-1))
    return torch.stack([x, middle], dim=-1).flatten(-2)


def interpolate_periodic(grid: Tensor, phase: Tensor) -> Tensor:
    """Values of gridded curves at any phases, by the cubic convolution of Keys (1981, doi:10.1109/TASSP.1981.1163711).

    Parameters
    ----------
    grid : Tensor, shape (n, n_grid)
        Values at phases ``arange(n_grid) / n_grid``.
    phase : Tensor, shape (n, n_obs)
        Phases; any real number, taken modulo 1.

    Returns
    -------
    Tensor, shape (n, n_obs)
    """
    n_grid = grid.shape[-1]
    position = (phase - torch.floor(phase)) * n_grid
    low = torch.floor(position)
    t = position - low
    index = low.long()
    at = [torch.gather(grid, -1, (index + k) % n_grid) for k in (-1, 0, 1, 2)]
    slope0, slope1 = 0.5 * (at[2] - at[0]), 0.5 * (at[3] - at[1])
    t2, t3 = t * t, t * t * t
    return (2 * t3 - 3 * t2 + 1) * at[1] + (t3 - 2 * t2 + t) * slope0 + (3 * t2 - 2 * t3) * at[2] + (t3 - t2) * slope1


def low_pass(grid: Tensor, n_harmonics: Tensor) -> Tensor:
    """Gridded curves without their harmonics above a number, curve by curve.

    Parameters
    ----------
    grid : Tensor, shape (n, n_grid)
    n_harmonics : Tensor of int, shape (n,)
        Highest harmonic that stays; 0 leaves the curve as it is.

    Returns
    -------
    Tensor, shape (n, n_grid)
    """
    spectrum = torch.fft.rfft(grid)
    k = torch.arange(spectrum.shape[1], device=grid.device)
    highest = torch.where(n_harmonics > 0, n_harmonics, spectrum.shape[1]).unsqueeze(1)
    return torch.fft.irfft(spectrum * (k <= highest), n=grid.shape[1])


class PeriodicEncoder(nn.Module):
    """Circular convolutions over phase bins, then a perceptron with the star's condition.

    Parameters
    ----------
    n_condition : int
        Length of the condition vector.
    latent_dim : int
        Dimensions of the latent space.
    n_bins : int
        Phase bins; a power of two.
    channels : sequence of int
        Channels after each halving of the resolution.
    hidden : int
        Width of the perceptron.
    kernel : int
        Kernel of the convolutions; odd.
    """

    def __init__(
        self,
        *,
        n_condition: int,
        latent_dim: int,
        n_bins: int = 128,
        channels: Sequence[int] = (16, 32, 48, 64),
        hidden: int = 160,
        kernel: int = 5,
    ) -> None:
        super().__init__()
        widths = [3, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, kernel, stride=2, padding=kernel // 2, padding_mode="circular") for a, b in pairwise(widths)
        )
        length = n_bins // 2 ** len(channels)
        self.perceptron = nn.Sequential(
            nn.Linear(widths[-1] * length + n_condition, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
        )
        self.mean = nn.Linear(hidden, latent_dim)
        self.log_variance = nn.Linear(hidden, latent_dim)

    def forward(self, bins: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior of the latent vector.

        Parameters
        ----------
        bins : Tensor, shape (n, 3, n_bins)
        condition : Tensor, shape (n, n_condition)

        Returns
        -------
        mean, log_variance : Tensor, shape (n, latent_dim)
        """
        x = bins
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
        h = self.perceptron(torch.cat([x.flatten(1), condition], dim=1))
        # the bounds keep a curve with thousands of precise points from overflowing exp()
        return self.mean(h), self.log_variance(h).clamp(-14.0, 4.0)


class _Activation(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class PeriodicDecoder(nn.Module):
    """From a latent vector to one cycle of a light curve, from coarse to fine.

    Each level doubles the number of phases, convolves on the circle, and is modulated by the latent vector and the
    condition (Perez et al. 2018, arXiv:1709.07871).

    Parameters
    ----------
    latent_dim, n_condition : int
        Lengths of the inputs.
    channels : sequence of int
        Channels at 8, 16, 32 ... phases; the last level is the output grid of ``8 * 2 ** (len(channels) - 1)``.
    hidden : int
        Width of the perceptron in front.
    kernel : int
        Kernel of the convolutions; odd.
    activation : {"silu", "hardswish"}
        SiLU (Elfwing et al. 2018, arXiv:1702.03118), or its likeness made of two parabolas and a line (Howard et al.
        2019, arXiv:1905.02244), which needs no exponential function.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        n_condition: int,
        channels: Sequence[int] = (48, 32, 24, 16, 16),
        hidden: int = 128,
        kernel: int = 5,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.activation = activation
        self._activate = ACTIVATIONS[activation]
        self.n_grid = 8 * 2 ** (len(channels) - 1)
        self.n_condition = n_condition
        self._first = channels[0]
        self.perceptron = nn.Sequential(
            nn.Linear(latent_dim + n_condition, hidden),
            _Activation(self._activate),
            nn.Linear(hidden, hidden),
            _Activation(self._activate),
        )
        self.seed = nn.Linear(hidden, channels[0] * 8)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, kernel, padding=kernel // 2, padding_mode="circular") for a, b in pairwise(channels)
        )
        self.modulations = nn.ModuleList(nn.Linear(hidden, 2 * b) for b in channels[1:])
        self.output = nn.Conv1d(channels[-1], 1, kernel, padding=kernel // 2, padding_mode="circular")

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """One cycle, in units of the amplitude scale, with zero mean; fainter is larger.

        Parameters
        ----------
        z : Tensor, shape (n, latent_dim)
        condition : Tensor, shape (n, n_condition)

        Returns
        -------
        Tensor, shape (n, n_grid)
            At phases ``arange(n_grid) / n_grid``.
        """
        h = self.perceptron(torch.cat([z, condition], dim=1))
        x = self._activate(self.seed(h)).view(-1, self._first, 8)
        for convolution, modulation in zip(self.convolutions, self.modulations, strict=True):
            gain, bias = modulation(h).unsqueeze(-1).chunk(2, dim=1)
            x = self._activate(convolution(circular_upsample(x)) * (1.0 + gain) + bias)
        curve = self.output(x).squeeze(1)
        return curve - curve.mean(dim=1, keepdim=True)
