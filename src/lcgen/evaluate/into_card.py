"""The summary of a report card as a section of a model's own card."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..assets import atomic_file, list_models, write_manifest_entry
from ..checkpoint import CONFIG_NAME
from ..errors import InputError

if TYPE_CHECKING:  # pragma: no cover
    from .card import ReportCard

__all__ = ["BEGIN", "CARD", "END", "check_writable", "write_section"]

CARD = "card.md"
BEGIN, END = "<!-- report card: begin -->", "<!-- report card: end -->"
"""Marks around the section."""


def check_writable(folder: str | os.PathLike[str]) -> Path:
    """The card of a model, if it may be written: said before work that takes long.

    Raises
    ------
    InputError
        If the folder is not that of a model, or it or its card may not be written to, or the marks are damaged.
    """
    path = Path(folder)
    if not (path / CONFIG_NAME).is_file():
        raise InputError(f"{path} is not the folder of a model: it has no {CONFIG_NAME}")
    card = path / CARD
    if not os.access(path, os.W_OK) or (card.exists() and not os.access(card, os.W_OK)):
        raise InputError(f"{card} cannot be written: no permission; save the model to a folder of your own")
    _parts(card)
    return card


def _parts(card: Path) -> tuple[str, str]:
    """What stands before and after the section."""
    text = card.read_text(encoding="utf-8") if card.is_file() else f"# {card.parent.resolve().name}\n"
    counts = text.count(BEGIN), text.count(END)
    if counts == (0, 0):
        return text.rstrip("\n") + "\n\n", "\n"
    start, end = text.find(BEGIN), text.find(END)
    if counts != (1, 1) or end < start:
        raise InputError(f"{card} needs the marks {BEGIN} and {END} once each and in this order, or not at all")
    return text[:start], text[end + len(END) :]


def write_section(folder: str | os.PathLike[str], card: ReportCard) -> Path:
    """Write the section; see :meth:`lcgen.evaluate.ReportCard.into_card`."""
    path = check_writable(folder)
    before, after = _parts(path)
    section = f"{BEGIN}\n## Report card\n\n{card.to_markdown().rstrip()}\n\n{END}"
    with atomic_file(path) as temporary:
        temporary.write_text(before + section + after, encoding="utf-8")
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
    # cards are not loaded and so not recorded, unless someone asked for it
    for entry in list_models():
        if CARD in entry.sha256 and entry.folder.resolve() == path.parent.resolve():
            write_manifest_entry(
                entry.folder,
                description=entry.description,
                name=entry.name,
                default=entry.default,
                files=list(entry.sha256),
            )
    return path
