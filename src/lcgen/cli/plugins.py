"""``lcgen plugins``: what installed packages add to lcgen, and whether it works."""

from __future__ import annotations

import argparse

from .options import Command, no_options
from .tables import aligned

__all__ = ["COMMANDS"]


def _run(args: argparse.Namespace) -> None:
    from ..plugins import installed_plugins

    found = installed_plugins(load=True)
    if not found:
        print("no plugin is installed")
        return
    rows = [("group", "name", "distribution", "version", "status")]
    rows += [(p.group, p.name, p.distribution, p.version, p.error or "ok") for p in found]
    print(aligned(rows))


COMMANDS = (
    Command(
        name="plugins",
        summary="what installed packages add to lcgen",
        description="What installed packages add to lcgen: cadences, latent regressors, formats; and packages that\n"
        "build on it. Each is loaded to see whether it works; status says why one does not. See docs/plugins.md.\n",
        example="  lcgen plugins\n",
        options=no_options,
        run=_run,
    ),
)
