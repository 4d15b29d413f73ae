"""How real are the curves? The report card of a generator, on stars it never saw.

``evaluate`` makes the whole card; ``quick_card`` a short one for tuning. ``lcgen evaluate MODEL`` prints it.
"""

from __future__ import annotations

from .card import Comparison, GroupCard, ReportCard
from .inputs import load_curves
from .pairing import Group
from .run import evaluate, quick_card
from .sources import RIVALS, CurveSource
from .twosample import Estimate

__all__ = [
    "RIVALS",
    "Comparison",
    "CurveSource",
    "Estimate",
    "Group",
    "GroupCard",
    "ReportCard",
    "evaluate",
    "load_curves",
    "quick_card",
]
