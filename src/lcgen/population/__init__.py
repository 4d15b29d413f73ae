"""Physical parameters of the stars of a class: fitted mixtures, conditional draws, tempering."""

from __future__ import annotations

from .mixture import Population
from .shape import ShapeRelations, fourier_shape
from .table import training_table

__all__ = ["Population", "ShapeRelations", "fourier_shape", "training_table"]
