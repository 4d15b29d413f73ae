"""Opening a schedule and finding the visits of many positions: time and memory, beside pandas.

    python benchmarks/synthetic_opsim.py synthetic.db --visits 2000000 --seed 1
    python benchmarks/schedule.py synthetic.db --positions 1000 --output schedule.json

Each way runs in a process of its own, one after the other, so that its peak memory is its own. *pandas* reads the whole
table with ``read_sql`` and then cuts a circle around each position with a k-d tree of scipy; *pandas, few columns*
reads only the columns that lcgen reads. The database is read once beforehand, so that all find it in the operating
system's cache.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

RADIUS = 1.75
NEEDED = (
    *("fieldRA", "fieldDec", "observationStartMJD", "band", "fiveSigmaDepth", "seeingFwhmEff", "skyBrightness"),
    *("airmass", "visitExposureTime", "visitTime", "night"),
)


def positions(path: Path, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places near pointings drawn at random, so that each has visits."""
    rng = np.random.default_rng(seed)
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        ((last,),) = connection.execute("SELECT max(_rowid_) FROM observations")
        rows = [
            connection.execute("SELECT fieldRA, fieldDec FROM observations WHERE _rowid_ = ?", (int(k),)).fetchone()
            for k in rng.integers(1, last + 1, n)
        ]
    ra, dec = np.array(rows).T
    return ra % 360.0, np.clip(dec + rng.uniform(-1.0, 1.0, n), -90.0, 90.0)


def peak() -> float:
    """Peak resident memory of this process [MiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


class Clock:
    """Seconds of wall clock and of processor for named steps."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}

    def run(self, name: str, call: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = call()
        self.steps[name] = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "peak_mib": peak()}
        return result


def lcgen_way(path: Path, n: int, footprint: str) -> dict[str, Any]:
    """Open, one position, many positions, many others."""
    from lcgen.cadence import OpSim

    ra, dec = positions(path, 2 * n, 1)
    before, clock = peak(), Clock()
    schedule = clock.run("open", lambda: OpSim(path, footprint=footprint))
    clock.run("one position", lambda: schedule.visits(ra=ra[0], dec=dec[0]))
    many = clock.run(f"{n} positions", lambda: schedule.visits_many(ra[:n], dec[:n]))
    counts = [0 if v is None else len(v) for v in many]
    del many
    clock.run(f"{n} other positions", lambda: schedule.visits_many(ra[n:], dec[n:]))
    clock.run("one more position", lambda: schedule.visits(ra=ra[-1], dec=dec[-1]))
    return {
        "steps": clock.steps,
        "before_mib": before,
        "visits": int(np.sum(counts)),
    }


def pandas_way(path: Path, n: int, columns: str) -> dict[str, Any]:
    """Read the table, and cut circles around the same positions."""
    import pandas as pd
    from scipy.spatial import KDTree

    ra, dec = positions(path, 2 * n, 1)
    before, clock = peak(), Clock()

    def vectors(lon: Any, lat: Any) -> np.ndarray:
        a, d = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)

    def read() -> Any:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return pd.read_sql(f"SELECT {columns} FROM observations", connection)

    table = clock.run("open", read)
    tree = clock.run("tree", lambda: KDTree(vectors(table.fieldRA, table.fieldDec)))
    chord = 2.0 * np.sin(np.radians(0.5 * RADIUS))

    def select() -> int:
        return sum(len(table.iloc[rows]) for rows in tree.query_ball_point(vectors(ra[:n], dec[:n]), chord))

    return {"before_mib": before, "visits": clock.run(f"{n} positions", select), "steps": clock.steps}


WAYS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "lcgen": lambda path, n: lcgen_way(path, n, "circle"),
    "lcgen, footprint lsst": lambda path, n: lcgen_way(path, n, "lsst"),
    "pandas, few columns": lambda path, n: pandas_way(path, n, ", ".join(NEEDED)),
    "pandas": lambda path, n: pandas_way(path, n, "*"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", type=Path)
    parser.add_argument("--positions", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=Path("schedule.json"))
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(WAYS[options.way](options.database, options.positions)))
        return
    with options.database.open("rb") as file:
        while file.read(1 << 24):
            pass
    with closing(sqlite3.connect(f"{options.database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        ((visits,),) = connection.execute("SELECT count(*) FROM observations")
    size = options.database.stat().st_size / 2**20
    machine = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sqlite": sqlite3.sqlite_version,
        "load_average": [round(v, 2) for v in os.getloadavg()],
    }
    print("\n".join(f"{k}: {v}" for k, v in machine.items()))
    print(f"{options.database}: {visits} visits, {size:.0f} MiB\n")
    results = {}
    for way in WAYS:
        command = [sys.executable, __file__, str(options.database), "--positions", str(options.positions), "--way", way]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        results[way] = result = json.loads(done.stdout.splitlines()[-1])
        last = list(result["steps"].values())[-1]["peak_mib"]
        print(f"{way}: {result['visits']} visits; peak memory {last:.0f} MiB, {result['before_mib']:.0f} before")
        for name, step in result["steps"].items():
            print(f"  {name:24s} {step['wall']:8.2f} s wall {step['cpu']:8.2f} s cpu {step['peak_mib']:8.0f} MiB peak")
    text = json.dumps({"machine": machine, "visits": visits, "size_mib": size, "results": results}, indent=1)
    temporary = options.output.with_name(f".{options.output.name}.tmp")
    temporary.write_text(text + "\n")
    os.replace(temporary, options.output)
    print(f"\nwritten: {options.output}")


if __name__ == "__main__":
    main()
