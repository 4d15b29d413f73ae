"""The report card: numbers, as text and JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..assets import atomic_file
from .calibration import RankHistogram
from .classify import Classification
from .memory import Memorisation
from .pairing import Group, GroupData
from .physics import PhysicsReport
from .relations import BumpBin, RelationResult
from .twosample import Estimate

__all__ = ["Comparison", "GroupCard", "ReportCard"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One source beside the real stars of one group.

    Attributes
    ----------
    shape, full : Estimate
        Two-sample AUC without, and with, period and amplitude.
    wasserstein : mapping of feature to float
        Distance in robust standard deviations of the real feature.
    memory : Memorisation or None
        None for the floor, and where there are no training stars.
    """

    shape: Estimate
    full: Estimate
    wasserstein: dict[str, float]
    memory: Memorisation | None


@dataclass(frozen=True, kw_only=True)
class GroupCard:
    """All that is measured on one group.

    Attributes
    ----------
    group : Group
    n : int
        Real stars.
    sources : mapping of source to Comparison
        The model first, then the floor of the stars' own denoised curves, then the rivals.
    halves_shape, halves_full : Estimate
        AUC between random halves of the real stars.
    real_memory : Memorisation or None
        Copy rate of the denoised curves of unseen real stars: the floor.
    calibration : mapping of feature to RankHistogram
    """

    group: Group
    n: int
    sources: dict[str, Comparison]
    halves_shape: Estimate
    halves_full: Estimate
    real_memory: Memorisation | None
    calibration: dict[str, RankHistogram]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportCard:
    """How real the curves of a generator are, on stars it never saw.

    Attributes
    ----------
    info : mapping
        Name of the generator, its digest, seed, number of stars, seconds taken, share of the nights found.
    groups : tuple of GroupCard
    classification : tuple of Classification
    relations : tuple of RelationResult
    bump : mapping of survey to list of BumpBin
        phi21 against period of fundamental-mode Cepheids.
    physics : PhysicsReport or None
        Relations with physical parameters; None in a short card, and for generators without such parameters.
    reconstruction : list of mappings
        See :func:`lcgen.train.finish.reconstruction_table`; empty where the generator has no encoder.
    active : mapping
        ``variance`` of the posterior mean by latent dimension and ``active``, the number above the threshold.
    pairs : list of GroupData
        What the numbers were measured on, for pictures; not part of the JSON.
    """

    info: dict[str, Any]
    groups: tuple[GroupCard, ...]
    classification: tuple[Classification, ...]
    relations: tuple[RelationResult, ...]
    bump: dict[str, list[BumpBin]]
    reconstruction: list[dict[str, Any]]
    active: dict[str, Any]
    physics: PhysicsReport | None = None
    pairs: list[GroupData] = field(default_factory=list, repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The model, the floor, and the rivals."""
        return tuple(self.groups[0].sources) if self.groups else ()

    def group(self, cls: str, survey: str, band: str, subclass: str = "") -> GroupCard:
        """The card of one group.

        Raises
        ------
        UnknownNameError
            If it was not measured.
        """
        from ..errors import UnknownNameError

        wanted = Group(cls=cls, survey=survey, band=band, subclass=subclass)
        for card in self.groups:
            if card.group == wanted:
                return card
        raise UnknownNameError("group", str(wanted), [str(c.group) for c in self.groups])

    def to_dict(self) -> dict[str, Any]:
        """As plain dictionaries and lists."""
        values = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "pairs"
        }  # fmt: skip
        return _plain(values)

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the numbers to a JSON file."""
        with atomic_file(Path(path)) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n")
        return Path(path)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write a self-contained HTML report with plots.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        from .html import render

        with atomic_file(Path(path)) as temporary:
            temporary.write_text(render(self))
        return Path(path)

    def to_markdown(self) -> str:
        """A summary in Markdown, headings of the third level: what belongs into the card of a model."""
        from .text import render_markdown

        return render_markdown(self)

    def into_card(self, folder: str | os.PathLike[str]) -> Path:
        """Write the summary into the ``card.md`` of a model, in place of an earlier one.

        Parameters
        ----------
        folder : path-like
            Folder of the model. What stands in the card outside of the section stays as it is.

        Returns
        -------
        Path
            The card.

        Raises
        ------
        InputError
            If the folder is not that of a model or may not be written to, or if the marks of the section are damaged.
        """
        from .into_card import write_section

        return write_section(folder, self)

    def to_text(self) -> str:
        """The tables, for people."""
        from .text import render_text

        return render_text(self)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
