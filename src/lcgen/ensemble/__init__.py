"""Ensembles of light curves in HDF5 files: writing, reading, generating.

The format is described in ``docs/ensemble-format.md``.
"""

from .generate import generate_ensemble
from .header import FORMAT, FORMAT_VERSION, EnsembleHeader
from .job import EnsembleGenerator, ObservableStars
from .reader import Ensemble, open_ensemble
from .summary import ColumnSummary, EnsembleSummary, content_digest, summarise
from .verify import Problem, verify
from .writer import EnsembleWriter, partial_path

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "ColumnSummary",
    "Ensemble",
    "EnsembleGenerator",
    "EnsembleHeader",
    "EnsembleSummary",
    "EnsembleWriter",
    "ObservableStars",
    "Problem",
    "content_digest",
    "generate_ensemble",
    "open_ensemble",
    "partial_path",
    "summarise",
    "verify",
]
