"""Measure the gains between bands from survey packs and write the table that lcgen ships.

LCGEN_DATA=folder python tools/band_gains.py src/lcgen/observe/tables/gains.json

One fifth of the stars, by name, is left out; ``benchmarks/bands.py`` reports on them.
"""

import argparse
import json
import os
from pathlib import Path

from lcgen.assets import atomic_file
from lcgen.train.band_gains import GAIN_KINDS, GAIN_SEED, measure_kind


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="the table to write, JSON")
    arguments = parser.parse_args()
    kinds = {kind: measure_kind(kind, os.environ["LCGEN_DATA"]).to_config() for kind in GAIN_KINDS}
    record = {"seed": GAIN_SEED, "command": "python tools/band_gains.py", "kinds": kinds}
    with atomic_file(arguments.output) as partial:
        partial.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
