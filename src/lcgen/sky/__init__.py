"""Where stars are: footprints, densities of the Galaxy and the Magellanic Clouds, positions, dust. Needs no torch."""

from .components import CLASS_COMPONENTS, COMPONENTS
from .density import CloudDisc, CloudEllipsoid, Component, ExponentialDisc, PowerLawHalo, TriaxialBulge
from .draw import PositionTable, component_shares, draw_positions
from .dust import (
    SFD_RECALIBRATION,
    ConstantDust,
    DustMap,
    DustMapsQuery,
    FunctionDust,
    SmoothDust,
    extinction_columns,
)
from .footprint import Circle, DecBand, Footprint, HealpixMask, Polygon, VisitFootprint, WholeSky, from_schedule
from .grid import RowGrid

__all__ = [
    "CLASS_COMPONENTS",
    "COMPONENTS",
    "SFD_RECALIBRATION",
    "Circle",
    "CloudDisc",
    "CloudEllipsoid",
    "Component",
    "ConstantDust",
    "DecBand",
    "DustMap",
    "DustMapsQuery",
    "ExponentialDisc",
    "Footprint",
    "FunctionDust",
    "HealpixMask",
    "Polygon",
    "PositionTable",
    "PowerLawHalo",
    "RowGrid",
    "SmoothDust",
    "TriaxialBulge",
    "VisitFootprint",
    "WholeSky",
    "component_shares",
    "draw_positions",
    "extinction_columns",
    "from_schedule",
]
