"""Survey files to light curves.

Readers for the photometry and the tables of OGLE and the Catalina surveys and for HDF5 packs; tables of
physical parameters, joined by star; and a writer of packs.
"""

from .assemble import Photometry
from .columns import canonical_column
from .css import CSS_TYPES, read_css, read_css_catalog, read_css_photometry
from .join import join_parameters
from .ogle import (
    normalise_ogle_id,
    ogle_class,
    read_ogle_cepf,
    read_ogle_collection,
    read_ogle_ident,
    read_ogle_photometry,
)
from .packing import PackSummary, pack_directory
from .packs import read_pack, write_pack
from .period_run import tabulate_periods
from .period_table import PERIOD_COLUMNS, read_periods, write_periods
from .periods import PERIOD_SEARCHES, PeriodSearch, PeriodSolution, find_period, find_periods
from .quality import usable_rows
from .table import StarTable
from .tables import DISTANCE_MODULI, read_fourier_table, read_physical_parameters
from .text import Skipped

__all__ = [
    "CSS_TYPES",
    "DISTANCE_MODULI",
    "PERIOD_COLUMNS",
    "PERIOD_SEARCHES",
    "PackSummary",
    "PeriodSearch",
    "PeriodSolution",
    "Photometry",
    "Skipped",
    "StarTable",
    "canonical_column",
    "find_period",
    "find_periods",
    "join_parameters",
    "normalise_ogle_id",
    "ogle_class",
    "pack_directory",
    "read_css",
    "read_css_catalog",
    "read_css_photometry",
    "read_fourier_table",
    "read_ogle_cepf",
    "read_ogle_collection",
    "read_ogle_ident",
    "read_ogle_photometry",
    "read_pack",
    "read_periods",
    "read_physical_parameters",
    "tabulate_periods",
    "usable_rows",
    "write_pack",
    "write_periods",
]
