"""``lcgen models`` and ``lcgen cadences``: what comes with lcgen, and the cadences of plugins."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import CheckpointError
from .options import Command, no_options
from .tables import aligned

__all__ = ["COMMANDS"]


def _models_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL", help="print the card of this model, by name or folder")


def _models(args: argparse.Namespace) -> None:
    from ..assets import find_model, list_models

    if args.model is not None:
        card = find_model(args.model).folder / "card.md"
        if not card.is_file():
            raise CheckpointError(f"{card.parent} has no card.md")
        print(card.read_text(encoding="utf-8").rstrip())
        return
    entries = list_models()
    if not entries:
        print("no model is bundled")
        return
    rows = [("name", "default", "classes", "bands", "description")]
    for entry in entries:
        classes, bands = _knows(entry.folder)
        rows.append((entry.name, "yes" if entry.default else "", classes, bands, entry.description))
    print(aligned(rows))


def _knows(folder: Path) -> tuple[str, str]:
    """Classes and bands of a model, without loading its weights."""
    path = folder / "config.json"
    try:
        part = json.loads(path.read_text(encoding="utf-8"))["conditioner"]
        return ",".join(part["classes"]), ",".join(part["bands"])
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} does not describe a generator: {error!r}") from error


def _cadences(args: argparse.Namespace) -> None:
    from ..cadence import list_recipes, load_recipe
    from ..plugins import installed_plugins

    rows = [("name", "bands", "description")]
    for name in list_recipes():
        recipe = load_recipe(name)
        rows.append((name, ",".join(recipe.bands), " ".join(recipe.description.split())))
    # not loaded: a plugin may read a schedule of gigabytes
    for plugin in installed_plugins("lcgen.cadences"):
        if plugin.error is None:
            rows.append((plugin.name, "-", f"from the plugin {plugin.distribution} {plugin.version}"))
    print(aligned(rows))


COMMANDS = (
    Command(
        name="models",
        summary="the bundled models, or the card of one",
        description="The bundled models, one a line; or the card of a model: what it was trained on, and how good it\n"
        "is on stars that it did not see.\n",
        example="  lcgen models\n  lcgen models periodic-vi\n",
        options=_models_options,
        run=_models,
    ),
    Command(
        name="cadences",
        summary="the cadences that have a name",
        description="The cadences that --cadence knows by name, one a line: bundled recipes, then those of plugins.\n"
        "The recipes are approximations; for a real study give --cadence a simulated schedule.\n",
        example="  lcgen cadences\n",
        options=no_options,
        run=_cadences,
    ),
)
