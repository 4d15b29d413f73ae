"""The layers of the published networks: weight-normalised causal convolutions."""

from __future__ import annotations

import math

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError

__all__ = ["CausalBlock", "CausalConv", "CausalTCN", "check_shape"]


class CausalConv(nn.Module):
    """A weight-normalised, dilated convolution that sees no later step.

    The weight is ``weight_g * weight_v / |weight_v|``, a norm for each output channel (Salimans & Kingma
    2016, arXiv:1602.07868). The parameters are named as in the released files.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel, dilation : int
        Width and spacing; step t sees t, t - dilation, ... t - (kernel - 1) dilation.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(n_in * kernel)
        self.dilation = dilation
        self.padding = (kernel - 1) * dilation
        self.bias = nn.Parameter(torch.empty(n_out).uniform_(-bound, bound))
        self.weight_v = nn.Parameter(torch.empty(n_out, n_in, kernel).uniform_(-bound, bound))
        self.weight_g = nn.Parameter(_channel_norm(self.weight_v.detach()))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x, shape (n, n_in, length); returns (n, n_out, length)."""
        weight = self.weight_v * (self.weight_g / _channel_norm(self.weight_v))
        return F.conv1d(F.pad(x, (self.padding, 0)), weight, self.bias, dilation=self.dilation)


def _channel_norm(weight: Tensor) -> Tensor:
    return weight.square().sum(dim=(1, 2), keepdim=True).sqrt()


class CausalBlock(nn.Module):
    """Two causal convolutions and a skip path (Bai, Kolter & Koltun 2018, arXiv:1803.01271)."""

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = CausalConv(n_in, n_out, kernel, dilation)
        self.conv2 = CausalConv(n_out, n_out, kernel, dilation)
        self.downsample = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Transform x, shape (n, n_in, length); returns (n, n_out, length)."""
        out = self.dropout(F.relu(self.conv1(x)))
        out = self.dropout(F.relu(self.conv2(out)))
        skip = x if self.downsample is None else self.downsample(x)
        return F.relu(out + skip)


class CausalTCN(nn.Module):
    """Causal blocks with dilations 1, 2, 4 ..., on sequences of shape (n, length, features)."""

    def __init__(self, n_in: int, channels: tuple[int, ...], kernel: int, dropout: float) -> None:
        super().__init__()
        widths = (n_in, *channels)
        self.network = nn.Sequential(
            *(CausalBlock(widths[i], widths[i + 1], kernel, 2**i, dropout) for i in range(len(channels)))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform x, shape (n, length, n_in); returns (n, length, channels[-1])."""
        return self.network(x.transpose(1, 2)).transpose(1, 2)


def check_shape(name: str, value: Tensor | NDArray, allowed: tuple[int | None, ...]) -> None:
    """Refuse a tensor or array whose shape is not the allowed one (None: any length) with an InputError."""
    shape = tuple(value.shape)
    if len(shape) != len(allowed) or any(a is not None and a != s for a, s in zip(allowed, shape, strict=True)):
        wanted = ", ".join("any" if a is None else str(a) for a in allowed)
        raise InputError(f"{name} has shape {shape}, allowed is ({wanted})")
