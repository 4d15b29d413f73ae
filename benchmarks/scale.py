"""Growth of time, memory and file size with the number of stars, and a cost model for 10^8 of them.

    python benchmarks/scale.py --stars 1000 10000 100000 --folder DIRECTORY --output scale.json

Each size is a run of its own process: the bundled model, all classes alike, the wide-fast-deep recipe thinned to about
100 visits a star, noise from the depths, one worker, gzip 1. See ``docs/ensembles.md``, "Growth and cost".
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

RECIPE = str(Path(__file__).with_name("wfd-thin.toml"))
HOURS = 3600.0


def one_run(n_stars: int, path: Path, workers: int, recipe: str) -> dict[str, float]:
    """Write an ensemble; what it cost."""
    from lcgen import load_generator, load_recipe
    from lcgen.ensemble import generate_ensemble

    begin = time.perf_counter()
    gen = load_generator()
    ready = time.perf_counter()
    summary = generate_ensemble(
        gen,
        path,
        n_per_class=n_stars // len(gen.classes),
        cadence=load_recipe(recipe),
        seed=1,
        noise="depth",
        mean_mag=(17.0, 24.0),
        workers=workers,
        overwrite=True,
        progress=False,
    )
    end = time.perf_counter()
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "stars": summary.n_stars,
        "observations": summary.n_observations,
        "wall_s": end - ready,
        "loading_s": ready - begin,
        "cpu_s": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "largest_process_bytes": max(own.ru_maxrss, children.ru_maxrss) * 1024,
        "file_bytes": summary.size,
    }


def measured(n_stars: int, folder: Path, workers: int, recipe: str) -> dict[str, float]:
    """The figures of :func:`one_run` in a process of its own, whose memory is then its own too."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="scale-") as name:
        command = [sys.executable, __file__, "--one", str(n_stars), "--workers", str(workers), "--folder", name]
        command += ["--recipe", recipe]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def line(n: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Intercept and slope, each point with the same relative error."""
    design = np.stack([np.ones_like(n), n], axis=1) / y[:, None]
    (intercept, slope), *_ = np.linalg.lstsq(design, np.ones_like(y), rcond=None)
    return float(intercept), float(slope)


def cost_model(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Straight lines through all sizes but the largest, and how far that one lies from them."""
    n = np.array([r["stars"] for r in runs], dtype=float)
    out: dict[str, Any] = {}
    for name in ("cpu_s", "file_bytes"):
        y = np.array([r[name] for r in runs], dtype=float)
        intercept, slope = line(n[:-1], y[:-1])
        predicted = intercept + slope * n[-1]
        out[name] = {
            "intercept": intercept,
            "per_star": slope,
            "predicted_last": predicted,
            "measured_last": y[-1],
            "ratio": y[-1] / predicted,
        }
    return out


def extrapolate(model: dict[str, Any], n_stars: float, cores: int, efficiency: float) -> dict[str, float]:
    """Core hours, hours on a cluster and bytes of a larger ensemble."""
    per_star = model["cpu_s"]["per_star"] * model["cpu_s"]["ratio"]
    core_hours = per_star * n_stars / HOURS
    return {
        "stars": n_stars,
        "core_hours": core_hours,
        "cores": cores,
        "efficiency": efficiency,
        "hours": core_hours / cores / efficiency,
        "bytes": model["file_bytes"]["per_star"] * model["file_bytes"]["ratio"] * n_stars,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stars", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--recipe", default=RECIPE, help="name or file of the cadence recipe")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cores", type=int, default=1000, help="cores of the cluster of the cost model")
    parser.add_argument("--efficiency", type=float, default=0.8, help="share of their time that the cores work")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--output", type=Path, default=Path("scale.json"))
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(one_run(options.one, options.folder / "ensemble.h5", options.workers, options.recipe)))
        return
    if len(options.stars) < 3:
        parser.error("the cost model needs three sizes")
    machine = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "load_average": round(os.getloadavg()[0], 2),
    }
    print("\n".join(f"{k}: {v}" for k, v in machine.items()), end="\n\n")
    print(f"{'stars':>9} {'visits':>7} {'wall s':>8} {'cpu s':>8} {'ms/star':>8} {'GiB':>6} {'MB':>9} {'B/visit':>8}")
    runs = []
    for n in sorted(options.stars):
        run = measured(n, options.folder, options.workers, options.recipe)
        runs.append(run)
        print(
            f"{run['stars']:>9.0f} {run['observations'] / run['stars']:>7.1f} {run['wall_s']:>8.1f} "
            f"{run['cpu_s']:>8.1f} {1e3 * run['cpu_s'] / run['stars']:>8.3f} "
            f"{run['largest_process_bytes'] / 2**30:>6.2f} {run['file_bytes'] / 1e6:>9.1f} "
            f"{run['file_bytes'] / run['observations']:>8.2f}",
            flush=True,
        )
    model = cost_model(runs)
    print("\nlines through all sizes but the last, and the last one")
    for name, fit in model.items():
        print(
            f"  {name:11s} {fit['intercept']:12.4g} + {fit['per_star']:.4g} a star; predicted "
            f"{fit['predicted_last']:.4g}, measured {fit['measured_last']:.4g}, ratio {fit['ratio']:.3f}"
        )
    cluster = extrapolate(model, 1e8, options.cores, options.efficiency)
    print(
        f"\n10^8 stars: {cluster['core_hours']:.0f} core hours, {cluster['hours']:.2f} h on {options.cores} cores that "
        f"work {options.efficiency:.0%} of the time, {cluster['bytes'] / 1e12:.2f} TB"
    )
    result = {
        "machine": machine,
        "recipe": Path(options.recipe).name,
        "workers": options.workers,
        "runs": runs,
        "model": model,
        "cluster": cluster,
    }
    temporary = options.output.with_name(f".{options.output.name}.tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(temporary, options.output)


if __name__ == "__main__":
    main()
