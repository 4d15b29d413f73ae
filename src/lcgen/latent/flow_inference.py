"""Drawing from the flows of :mod:`lcgen.latent.flow` without zuko, for speed.

The networks of a coupling are masked: some of their units see the star alone, the others also those dimensions that
are transformed first. Sorted by that, one pass through each unit is enough, where the general way takes two through
all. Stars run last in memory, in blocks of a fixed number, so that a matrix product is the same whatever else is drawn
at the same time (:mod:`lcgen.model.blocks`); what goes element by element is done on several blocks at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.blocks import BLOCK

__all__ = ["FoldedFlow"]

# Blocks that go through a flow together: few enough that their values stay in the processor's cache.
_TOGETHER = 4
# The splines of Durkan et al. (2019) as zuko has them: identical beyond the bound, slopes no less than this.
_BOUND = 5.0
_SLOPE = 1e-3

_Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """A linear layer whose units that see the star alone, `free` of them, come first."""

    weight: Tensor
    bias: Tensor
    free: int
    free_inputs: int

    def __call__(self, x: _Array, *, first: bool) -> _Array:
        """The free units, or the others, shape (n_blocks, n_units, BLOCK)."""
        if first:
            return _product(self.weight[: self.free, : self.free_inputs], self.bias[: self.free], x)
        return _product(self.weight[self.free :], self.bias[self.free :], x)


class _Coupling:
    """One transform of a flow: dimensions that follow from the star, then those that follow from these as well.

    Parameters
    ----------
    layers : sequence of (weight, bias, mask)
        Of the conditioning network, whose inputs are the dimensions, then the star.
    dims : int
    bins : int
    """

    def __init__(self, layers: Sequence[tuple[Tensor, Tensor, Tensor]], dims: int, bins: int) -> None:
        self.bins = bins
        per = 3 * bins - 1
        sees_star_alone = torch.zeros(layers[0][0].shape[1], dtype=torch.bool)
        sees_star_alone[dims:] = True
        order = torch.arange(layers[0][0].shape[1])
        self._layers: list[_Layer] = []
        for k, (weight, bias, mask) in enumerate(layers):
            last = k == len(layers) - 1
            free = ~(mask[:, ~sees_star_alone].any(dim=1))
            rows = torch.argsort((~free).int(), stable=True)
            if last:
                rows = _spline_rows(free, dims, bins)
                by_dim = free.view(dims, per).all(dim=1)
                self.first, self.second = (np.flatnonzero(by_dim.numpy()), np.flatnonzero(~by_dim.numpy()))
            ordered = (weight * mask)[rows][:, order]
            self._layers.append(
                _Layer(
                    weight=ordered.contiguous(),
                    bias=bias[rows][:, None].contiguous(),
                    free=int(free.sum()),
                    free_inputs=int(sees_star_alone.sum()),
                )
            )
            sees_star_alone, order = free, rows
        # of the first layer, the part of the star and that of the dimensions transformed first
        entry = self._layers[0]
        self._of_star = entry.weight[:, dims:].contiguous()
        self._of_first = entry.weight[entry.free :][:, torch.from_numpy(self.first)].contiguous()

    def inverse(self, star: _Array, y: _Array) -> _Array:
        """From standard normal numbers to the dimensions, both of shape (n_blocks, dims, BLOCK)."""
        entry, *inner, out = self._layers
        x = np.empty_like(y)
        hidden = [_product(self._of_star, entry.bias, star)]
        np.maximum(hidden[0][:, : entry.free], 0.0, out=hidden[0][:, : entry.free])
        seen = hidden[0][:, : entry.free]
        for layer in inner:
            seen = layer(seen, first=True)
            np.maximum(seen, 0.0, out=seen)
            hidden.append(seen)
        x[:, self.first] = _inverse_spline(out(seen, first=True), y[:, self.first], self.bins)
        if self.second.size:
            rest = hidden[0][:, entry.free :]
            for target, given in zip(rest, x[:, self.first], strict=True):
                torch.from_numpy(target).addmm_(self._of_first, torch.from_numpy(given))
            np.maximum(rest, 0.0, out=rest)
            seen = hidden[0]
            for layer, known in zip(inner, hidden[1:], strict=True):
                more = layer(seen, first=False)
                np.maximum(more, 0.0, out=more)
                seen = np.concatenate([known, more], axis=1)
            x[:, self.second] = _inverse_spline(out(seen, first=False), y[:, self.second], self.bins)
        return x


class FoldedFlow:
    """A neural spline flow of zuko's, of one dimension or of couplings, for drawing only.

    Parameters
    ----------
    flow : zuko.flows.NSF
        Its weights are copied.
    bins : int
        Bins of its splines.

    Examples
    --------
    >>> import zuko
    >>> flow = zuko.flows.NSF(3, 2, transforms=2, passes=2, hidden_features=[8, 8])
    >>> star, normals = np.ones((4, 2), dtype=np.float32), np.full((4, 3), 0.3, dtype=np.float32)
    >>> with torch.no_grad():
    ...     slow = flow(torch.from_numpy(star)).transform.inv(torch.from_numpy(normals)).numpy()
    >>> bool(np.abs(FoldedFlow(flow, bins=8)(star, normals) - slow).max() < 1e-5)
    True
    """

    @torch.no_grad()
    def __init__(self, flow: Any, *, bins: int) -> None:
        self._couplings = [_coupling(part, bins) for part in reversed(list(flow.transform.transforms))]

    @torch.no_grad()
    def __call__(self, star: NDArray[np.float32], normals: NDArray[np.float32]) -> NDArray[np.float32]:
        """Draws, shape (n, dims).

        Parameters
        ----------
        star : ndarray, shape (n, n_condition)
        normals : ndarray, shape (n, dims)
            Standard normal numbers.
        """
        n, step = normals.shape[0], _TOGETHER * BLOCK
        out = np.empty(normals.shape, dtype=np.float32)
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            context, x = _into_blocks(star[rows]), _into_blocks(normals[rows])
            for coupling in self._couplings:
                x = coupling.inverse(context, x)
            out[rows] = x.swapaxes(1, 2).reshape(-1, normals.shape[1])[: rows.stop - start]
        return out


def _coupling(part: Any, bins: int) -> _Coupling:
    linear = [layer for layer in part.hyper if hasattr(layer, "weight")]
    order = getattr(part, "order", None)
    layers = []
    for k, layer in enumerate(linear):
        weight, bias = layer.weight.detach().cpu(), layer.bias.detach().cpu()
        mask = getattr(layer, "mask", None)
        mask = torch.ones_like(weight, dtype=torch.bool) if mask is None else mask.detach().cpu()
        if order is None and k == 0:  # one dimension, which the network does not see
            weight = torch.cat([weight.new_zeros(weight.shape[0], 1), weight], dim=1)
            mask = torch.cat([mask.new_zeros(mask.shape[0], 1), mask], dim=1)
        layers.append((weight, bias.clone(), mask))
    return _Coupling(layers, 1 if order is None else int(order.numel()), bins)


def _spline_rows(free: Tensor, dims: int, bins: int) -> Tensor:
    """The network's outputs, those of free dimensions first; within each part bin after bin, dimension by dimension."""
    rows = torch.arange(free.numel()).view(dims, 3 * bins - 1)
    by_dim = free.view(dims, 3 * bins - 1).all(dim=1)
    return torch.cat([rows[by_dim].t().reshape(-1), rows[~by_dim].t().reshape(-1)])


def _into_blocks(rows: NDArray[np.float32]) -> _Array:
    """Rows as (n_blocks, n_columns, BLOCK), the last block filled up with zeros."""
    blocks = -(-rows.shape[0] // BLOCK)
    padded = np.zeros((blocks * BLOCK, rows.shape[1]), dtype=np.float32)
    padded[: rows.shape[0]] = rows
    return np.ascontiguousarray(padded.reshape(blocks, BLOCK, -1).swapaxes(1, 2))


def _product(weight: Tensor, bias: Tensor, x: _Array) -> _Array:
    """``weight @ x + bias``, block by block."""
    out = np.empty((x.shape[0], weight.shape[0], BLOCK), dtype=np.float32)
    for source, target in zip(x, out, strict=True):
        torch.addmm(bias, weight, torch.from_numpy(source), out=torch.from_numpy(target))
    return out


def _inverse_spline(raw: _Array, y: _Array, bins: int) -> _Array:
    """Monotonic rational-quadratic splines (Durkan et al. 2019, arXiv:1906.04032, section 3.1) read backwards.

    Parameters
    ----------
    raw : ndarray, shape (n_blocks, (3 bins - 1) dims, BLOCK)
        Widths, heights and slopes as the network gives them, bin after bin.
    y : ndarray, shape (n_blocks, dims, BLOCK)
    bins : int

    Returns
    -------
    ndarray
        Of the shape of `y`.
    """
    blocks, dims = y.shape[:2]
    raw = raw.reshape(blocks, 3 * bins - 1, dims, BLOCK)
    # the network's numbers are kept within the logarithm of the least slope; so exp() cannot overflow
    limit = np.full((3 * bins - 1, 1, 1), -1.0 / math.log(_SLOPE), dtype=np.float32)
    limit[: 2 * bins] *= 2.0
    sizes = np.abs(raw)
    sizes *= limit
    sizes += 1.0
    np.divide(raw, sizes, out=sizes)
    np.exp(sizes, out=sizes)
    # edges of the bins along both axes, in units of their sum, and slopes there
    knots = np.empty((3, blocks, bins + 1, dims, BLOCK), dtype=np.float32)
    knots[:2, :, 0] = 0.0
    knots[2, :, 0] = knots[2, :, bins] = 1.0
    knots[2, :, 1:bins] = sizes[:, 2 * bins :]
    for axis in (0, 1):
        for k in range(bins):
            np.add(knots[axis, :, k], sizes[:, axis * bins + k], out=knots[axis, :, k + 1])
    width, height = knots[0, :, bins], knots[1, :, bins]
    target = y * np.float32(0.5 / _BOUND)
    target += 0.5
    target *= height
    cell = np.zeros(y.shape, dtype=np.int64)
    for k in range(1, bins):
        cell += target > knots[1, :, k]
    size, flat = dims * BLOCK, knots.reshape(3, -1)
    cell *= size
    cell += np.arange(size).reshape(dims, BLOCK)
    cell += (np.arange(blocks) * ((bins + 1) * size))[:, None, None]
    (w0, h0, d0), (w1, h1, d1) = ([axis.take(at) for axis in flat] for at in (cell, cell + size))
    dx, dy = (w1 - w0) / width, (h1 - h0) / height
    above = (target - h0) / height
    s = dy / dx
    bend = (d0 + d1 - 2.0 * s) * above
    b = dy * d0 - bend
    root = np.sqrt(np.maximum(b * b + 4.0 * (dy * (s - d0) + bend) * (s * above), 0.0))
    share = 2.0 * s * above / (b + root)
    x = np.float32(_BOUND) * (2.0 * (w0 / width + share * dx) - 1.0)
    return np.where(np.abs(y) < _BOUND, x, y)
