"""Figures that show whether generated stars obey what is known of real ones, and the numbers behind each.

:func:`make_figures` draws stars from a generator and writes pictures and tables: the shapes of RR Lyrae curves with the
temperature sequence, period-luminosity relations in each band beside published ones, the colour-magnitude diagram,
and amplitude ratios and phase lags from band to band. What is compared with what stands in ``docs/figures.md``.
"""

from .amplitudes import BandChange, band_changes
from .cycle import Cycle, pulsation_cycle
from .luminosity import PUBLISHED, PublishedRelation, RelationFit, fit_relation, log_z, period_luminosity
from .run import FigureSet, make_figures
from .samples import KINDS, Kind, draw_kinds
from .shapes import ShapeTable, gridded_shapes, observed_shapes

__all__ = [
    "KINDS",
    "PUBLISHED",
    "BandChange",
    "Cycle",
    "FigureSet",
    "Kind",
    "PublishedRelation",
    "RelationFit",
    "ShapeTable",
    "band_changes",
    "draw_kinds",
    "fit_relation",
    "gridded_shapes",
    "log_z",
    "make_figures",
    "observed_shapes",
    "period_luminosity",
    "pulsation_cycle",
]
