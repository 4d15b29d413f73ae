"""Light curves as classifiers take them: from ensemble files, from a generator, or from any ``LightCurves``.

Described in ``docs/datasets.md``. Only the streams and :func:`pad_collate` need torch; the rest is numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .ragged import Ragged, ragged
from .samples import Sample, samples
from .selection import FEATURES, Selection
from .split import split_stars
from .stored import EnsembleDataset
from .transforms import Compose, Delta, Normalise, Rescale, Transform

if TYPE_CHECKING:
    from .collate import Batch, pad_collate
    from .streams import EnsembleStream, GeneratedStream

__all__ = [
    "FEATURES",
    "Batch",
    "Compose",
    "Delta",
    "EnsembleDataset",
    "EnsembleStream",
    "GeneratedStream",
    "Normalise",
    "Ragged",
    "Rescale",
    "Sample",
    "Selection",
    "Transform",
    "pad_collate",
    "ragged",
    "samples",
    "split_stars",
]

_WITH_TORCH = {
    "Batch": "collate",
    "EnsembleStream": "streams",
    "GeneratedStream": "streams",
    "pad_collate": "collate",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WITH_TORCH[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
