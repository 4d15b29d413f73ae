"""How often the quick period search and the complete one agree, star by star.

    python benchmarks/agreement.py --n 100 --output agreement.json

At the visits of lcgen's recipe ``lsst-wfd``: all of them, every fourth, and every sixteenth; for stars of 18 to 26 mag.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from lcgen.cadence import as_cadence
from lcgen_maf import StarSample
from lcgen_maf.field import field_of
from lcgen_maf.slices import SliceVisits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100, help="stars of each class")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()

    visits = as_cadence("lsst-wfd").visits(seed=args.seed)
    out: dict[str, Any] = {}
    for every in (1, 4, 16):
        data = SliceVisits.of_arrays(visits.mjd[::every], visits.band[::every], np.asarray(visits.depth5)[::every])
        if data is None:
            raise SystemExit("the recipe has no depths")
        sample = StarSample(n=args.n, mean_mag=(18.0, 26.0), seed=args.seed)
        rows, seconds = {}, {}
        fields = {}
        for method in ("aliases", "full"):
            fields[method] = field_of(sample.with_options(method=method), data, {}).classes
            begin = time.perf_counter()
            for stars in fields[method].values():
                stars.found  # noqa: B018
            seconds[method] = round(time.perf_counter() - begin, 2)
        for name in sample.names:
            quick, full = (fields[method][name].found.recovered for method in ("aliases", "full"))
            rows[name] = {"quick": quick.mean(), "complete": full.mean(), "agree": np.mean(quick == full)}
        for what in ("quick", "complete", "agree"):
            rows.setdefault("all", {})[what] = np.mean([rows[name][what] for name in sample.names])
        out[f"{len(data)} visits"] = {"classes": rows, "seconds": seconds}
    text = json.dumps(out, indent=1, default=float)
    print(text)
    if args.output:
        args.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
