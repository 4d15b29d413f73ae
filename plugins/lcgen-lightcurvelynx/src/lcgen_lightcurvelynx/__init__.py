"""Periodic variable stars of lcgen as a model of LightCurveLynx.

:class:`PeriodicStarModel` is a ``BandfluxModel``: any class of lcgen, at parameters that are constants, samplers or
other nodes. :class:`SkyPositions` is a node that draws positions and distances of a class in the Galaxy and the
Magellanic Clouds.
"""

from .model import PeriodicStarModel
from .sky import SkyPositions

__all__ = ["PeriodicStarModel", "SkyPositions", "__version__"]

__version__ = "0.1.0"
