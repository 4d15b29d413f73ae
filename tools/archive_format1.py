"""Write the small archived ensemble of format 1 that every later version must read, and what it holds.

    python tools/archive_format1.py tests/data

Run once, when the format is new; the files are then kept. ``ensemble-format-1.json`` records the content as h5py gives
it, so that the test does not compare lcgen's reader with itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

NAME = "ensemble-format-1"
STARS_PER_CLASS = 3
VISITS = 36
COLUMNS = ("star_id", "class", "subclass", "period", "teff", "mean_mag", "extrapolated", "assumed")


def write(path: Path) -> None:
    """Stars of each class in six bands; some saturate in most visits or all, some are fainter than the noise."""
    from lcgen import load_generator
    from lcgen.ensemble import EnsembleHeader, EnsembleWriter
    from lcgen.observe import Detection

    os.environ["SOURCE_DATE_EPOCH"] = "1767225600"
    gen = load_generator()
    bands = np.array(["u", "g", "r", "i", "z", "y"])
    cadence = {
        "mjd": np.linspace(61041.0, 61141.0, VISITS),
        "band": bands[np.arange(VISITS) % 6],
        "depth5": np.full(VISITS, 23.5),
    }
    classes = [name for name in gen.classes for _ in range(STARS_PER_CLASS)]
    mean_mag = np.linspace(8.0, 27.0, len(classes))
    stars = gen.draw(classes, len(classes), params={"mean_mag": mean_mag}, seed=1)
    curves = stars.observe(cadence, noise="lsst", seed=1, detection=Detection(snr=5.0))
    # few columns, for HDF5 spends about 3 kB on each
    curves = replace(curves, columns={name: curves.columns[name] for name in COLUMNS})
    header = EnsembleHeader(
        generator=gen.name,
        checkpoint_sha256=gen.sha256,
        seed=1,
        cadence="36 visits in 100 days",
        provenance={"noise": "lsst", "note": "archived; 5\N{GREEK SMALL LETTER SIGMA} detections"},
    )
    with EnsembleWriter(path, header=header, n_stars=len(curves)) as writer:
        writer.append(curves)


def record(path: Path) -> dict[str, object]:
    """What the file holds, read with h5py alone."""
    out: dict[str, object] = {}
    with h5py.File(path, "r") as f:
        for group in ("stars", "observations"):
            datasets: Any = f[group]
            for name, dataset in datasets.items():
                values = dataset[()]
                out[f"{group}/{name}"] = {
                    "dtype": values.dtype.str,
                    "shape": list(values.shape),
                    "sha256": hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest(),
                }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    path = folder / f"{NAME}.h5"
    if path.exists():
        parser.error(f"{path} exists: an archived file is not written again")
    folder.mkdir(parents=True, exist_ok=True)
    write(path)
    text = json.dumps(record(path), indent=1) + "\n"
    temporary = folder / f".{NAME}.json.tmp"
    temporary.write_text(text)
    os.replace(temporary, folder / f"{NAME}.json")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
