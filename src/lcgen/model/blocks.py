"""Evaluation of networks in blocks of one fixed size.

Matrix products may sum in another order when the batch has another size, and the last bits of the result change with
it. Networks are therefore always evaluated on blocks of the same size, the last one padded, so that a star's curve does
not depend on how many others are asked for at the same time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["BLOCK", "in_blocks"]

# Curves a second hardly grow beyond this (benchmarks/decoder.py), while a single star costs a whole block.
BLOCK = 128


def in_blocks(
    function: Callable[..., Tensor | tuple[Tensor, ...]],
    *arrays: NDArray,
    block: int = BLOCK,
    device: str | torch.device = "cpu",
) -> tuple[NDArray, ...]:
    """Apply `function` to rows of `arrays`, always `block` rows at a time.

    Parameters
    ----------
    function : callable
        Takes tensors with `block` rows and returns one tensor, or several, with as many.
    *arrays : ndarray, shape (n, ...)
    block : int
        Rows at a time.

    Returns
    -------
    tuple of ndarray, each of n rows
    """
    n = arrays[0].shape[0]
    parts: list[list[NDArray]] = []
    with torch.no_grad():
        for start in range(0, max(n, 1), block):
            padded = []
            for array in arrays:
                rows = array[start : start + block]
                if rows.shape[0] < block:
                    rows = np.concatenate([rows, np.zeros((block - rows.shape[0], *array.shape[1:]), array.dtype)])
                padded.append(torch.from_numpy(np.ascontiguousarray(rows)).to(device))
            out = function(*padded)
            outputs = (out,) if isinstance(out, Tensor) else out
            parts.append([o[: min(block, n - start)].cpu().numpy() for o in outputs])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
