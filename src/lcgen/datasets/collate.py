"""Stars of different lengths as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from .. import rng
from ..errors import InputError, UnknownNameError
from .samples import Sample

__all__ = ["Batch", "Keep", "pad_collate"]

Keep = Literal["spread", "first", "last", "random"]
"""Which observations stay of a star that has too many."""


class Batch(TypedDict):
    """Stars of a batch, padded to one length.

    Attributes
    ----------
    x : float32 tensor, shape (n, length, n_features)
        Zero where there is no observation.
    mask : bool tensor, shape (n, length)
        True where there is an observation.
    mjd : float64 tensor, shape (n, length)
        Times [d]; zero where there is no observation.
    band : int64 tensor, shape (n, length)
        Index of the band; zero where there is no observation.
    length : int64 tensor, shape (n,)
        Observations of each star.
    label, star_id : int64 tensor, shape (n,)
    columns : float64 tensor, shape (n, n_columns)
    """

    x: torch.Tensor
    mask: torch.Tensor
    mjd: torch.Tensor
    band: torch.Tensor
    length: torch.Tensor
    label: torch.Tensor
    star_id: torch.Tensor
    columns: torch.Tensor


def pad_collate(
    stars: Sequence[Sample],
    *,
    max_length: int | None = None,
    keep: Keep = "spread",
    fixed: bool = False,
    seed: int = 0,
) -> Batch:
    """Put stars into one batch: the ``collate_fn`` of a loader, with ``functools.partial`` for other choices.

    Parameters
    ----------
    stars : sequence of Sample
    max_length : int, optional
        Most observations of a star; no limit by default.
    keep : {"spread", "first", "last", "random"}
        Which observations of a longer star stay, in order of time: evenly spread over its rows with the first and the
        last; the first; the last; or a choice at random that depends on the seed and the ``star_id`` alone, the same in
        every epoch.
    fixed : bool
        Pad to `max_length` even where all stars are shorter, so that all batches have one shape.
    seed : int
        For ``keep="random"``.

    Returns
    -------
    Batch

    Raises
    ------
    InputError, UnknownNameError
        If there is no star, stars have different features, or an argument is wrong.

    Examples
    --------
    >>> star = Sample(x=np.ones((3, 2), "f4"), mjd=np.arange(3.0), band=np.zeros(3, "i8"), label=1, star_id=7,
    ...     columns=np.zeros(0))
    >>> batch = pad_collate([star, star | {"x": star["x"][:1], "mjd": star["mjd"][:1], "band": star["band"][:1]}])
    >>> batch["mask"].tolist()
    [[True, True, True], [True, False, False]]
    """
    if not stars:
        raise InputError("a batch needs at least one star")
    if keep not in get_args(Keep):
        raise UnknownNameError("value of keep", keep, get_args(Keep))
    if max_length is not None and (isinstance(max_length, bool) or max_length < 1):
        raise InputError(f"max_length must be at least 1, received {max_length!r}")
    if fixed and max_length is None:
        raise InputError("fixed=True needs max_length")
    if len({star["x"].shape[1] for star in stars}) > 1:
        raise InputError("the stars of a batch must have the same features")
    if max_length is not None:
        stars = [_shortened(star, max_length, keep, seed) for star in stars]
    lengths = np.array([star["mjd"].size for star in stars], dtype=np.int64)
    width = max_length if fixed and max_length is not None else max(int(lengths.max()), 1)
    mask = np.arange(width) < lengths[:, None]
    return Batch(
        x=_padded(mask, [star["x"] for star in stars]),
        mask=torch.from_numpy(mask),
        mjd=_padded(mask, [star["mjd"] for star in stars]),
        band=_padded(mask, [star["band"] for star in stars]),
        length=torch.from_numpy(lengths),
        label=torch.tensor([star["label"] for star in stars], dtype=torch.int64),
        star_id=torch.tensor([star["star_id"] for star in stars], dtype=torch.int64),
        columns=torch.from_numpy(np.stack([star["columns"] for star in stars])),
    )


def _padded(mask: NDArray[np.bool_], parts: list[NDArray]) -> torch.Tensor:
    out = np.zeros(mask.shape + parts[0].shape[1:], dtype=parts[0].dtype)
    # a copy a star: several times faster than one assignment through the mask
    for row, part in zip(out, parts, strict=True):
        row[: part.shape[0]] = part
    return torch.from_numpy(out)


def _shortened(star: Sample, length: int, keep: Keep, seed: int) -> Sample:
    n = star["mjd"].size
    if n <= length:
        return star
    if keep == "first":
        rows: NDArray | slice = slice(length)
    elif keep == "last":
        rows = slice(n - length, n)
    elif keep == "spread":
        rows = np.round(np.linspace(0, n - 1, length)).astype(np.int64)
    else:
        rows = np.sort(rng.stream(seed, "keep", star["star_id"]).choice(n, length, replace=False))
    return Sample(
        x=star["x"][rows],
        mjd=star["mjd"][rows],
        band=star["band"][rows],
        label=star["label"],
        star_id=star["star_id"],
        columns=star["columns"],
    )
