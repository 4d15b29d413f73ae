"""Ensembles in the formats of other programs.

``export_ensemble("train.h5", "plasticc", "challenge")``; ``FORMATS`` has all that come with lcgen, ``docs/export.md``
says what they hold, ``docs/plugins.md`` how to write another.
"""

from __future__ import annotations

from typing import Any

from .astromer import AstromerExporter
from .atat import AtatExporter
from .base import Exporter, ExportReport, Source, export_ensemble, list_formats, make_exporter
from .fitsfile import FitsExporter
from .hats import HatsExporter
from .lclib import LclibExporter, write_lclib
from .nested import NestedExporter
from .plasticc import PlasticcExporter
from .snana import SnanaExporter
from .tables import TablesExporter

__all__ = [
    "FORMATS",
    "AstromerExporter",
    "AtatExporter",
    "ExportReport",
    "Exporter",
    "FitsExporter",
    "HatsExporter",
    "LclibExporter",
    "NestedExporter",
    "PlasticcExporter",
    "SnanaExporter",
    "Source",
    "TablesExporter",
    "export_ensemble",
    "list_formats",
    "make_exporter",
    "write_lclib",
]

FORMATS: dict[str, Any] = {
    kind.name: kind
    for kind in (
        AstromerExporter,
        AtatExporter,
        FitsExporter,
        HatsExporter,
        LclibExporter,
        NestedExporter,
        PlasticcExporter,
        SnanaExporter,
        TablesExporter,
    )
}
"""The formats by name; each is a frozen dataclass whose fields are its options."""
