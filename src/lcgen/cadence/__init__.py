"""Schedules of surveys, turned into visits.

Plain arrays (:func:`from_arrays`), tables (:func:`from_table`, :class:`VisitTable`), simulated and real
schedules in SQLite (:class:`OpSim`), epochs of real stars (:func:`read_epochs`, :class:`EpochLibrary`) and
parametric recipes (:func:`load_recipe`); :func:`as_cadence` takes any of them.
"""

from .convert import as_cadence
from .epochs import EpochLibrary, read_epochs
from .fieldlog import FieldLog
from .footprint import Circle, Footprint, LsstCamera, ZtfCamera
from .many import visits_of_stars
from .opsim import OpSim, PointingSummary
from .recipe import list_cadences, list_recipes, load_recipe, recipe_folder
from .specs import Recipe
from .tables import VisitTable, from_table
from .visits import BatchCadence, Cadence, FixedCadence, Visits, from_arrays

__all__ = [
    "BatchCadence",
    "Cadence",
    "Circle",
    "EpochLibrary",
    "FieldLog",
    "FixedCadence",
    "Footprint",
    "LsstCamera",
    "OpSim",
    "PointingSummary",
    "Recipe",
    "VisitTable",
    "Visits",
    "ZtfCamera",
    "as_cadence",
    "from_arrays",
    "from_table",
    "list_cadences",
    "list_recipes",
    "load_recipe",
    "read_epochs",
    "recipe_folder",
    "visits_of_stars",
]
