"""Light curves per second of lcgen, stage by stage, six bands and about 825 visits a star.

    python benchmarks/observe.py --model pretrained/NAME --output observe.json

See ``benchmarks/README.md`` for what is measured and how.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lcgen import load_generator
from lcgen.cadence import load_recipe
from lcgen.generator import LightCurveGenerator
from lcgen.interpolate import evaluate_padded, evaluate_periodic, pad_periodic
from lcgen.lightcurve import phase_of
from lcgen.model.blocks import in_blocks

RECIPE = "lsst-wfd"
BANDS = ("u", "g", "r", "i", "z", "y")

# name of the stage, light curves in a call, the call
Stage = tuple[str, int, Callable[[], Any]]


def stages(gen: LightCurveGenerator, n: int, cls: str) -> list[Stage]:
    """All stages, from the decoder to the whole chain; those called plain are the straightforward ways."""
    recipe = load_recipe(RECIPE)
    given = {"mean_mag": 20.0, "ra": 60.0, "dec": -30.0}

    def draw() -> Any:
        return gen.draw(cls, n, params=given, seed=1)

    stars = draw()
    # real inputs of the decoder: the latent vectors of the stars, and random conditions of a like size
    condition = 0.3 * np.random.default_rng(1).normal(size=(n, gen.conditioner.n_decoder)).astype(np.float32)
    z = stars.latent.astype(np.float32)
    curves = stars.observe(recipe, band="nearest", seed=2)
    one = stars[:1].observe(recipe, seed=2)
    visits = {"mjd": one.mjd, "band": one.band, "depth5": np.full(one.mjd.size, 24.5)}
    star = np.repeat(np.arange(n), np.diff(curves.offsets))
    period, t0 = stars.columns["period"], stars.columns["t0"]
    grids = [gen.decode(stars.columns["class"], stars.columns, stars.latent, b) for b in curves.band_names]
    padded = np.stack([pad_periodic(g) for g in grids])

    def plain_evaluation() -> Any:
        phase = phase_of(curves.mjd, period[star], t0[star])
        out = np.empty(phase.size)
        for k, grid in enumerate(grids):
            rows = curves.band_index == k
            out[rows] = evaluate_periodic(grid, star[rows], phase[rows])
        return out

    def evaluation() -> Any:
        out = np.empty(curves.mjd.size)
        for a in range(0, out.size, 65_536):
            rows = slice(a, a + 65_536)
            owner = star[rows]
            phase = phase_of(curves.mjd[rows], period.take(owner), t0.take(owner))
            out[rows] = evaluate_padded(padded, curves.band_index[rows].astype(np.int64) * n + owner, phase)
        return out

    result: list[Stage] = [
        ("draw stars", n, draw),
        ("cadence", n, lambda: [recipe.visits(ra=60.0, dec=-30.0, seed=2, index=i) for i in range(n)]),
        ("evaluate, plain", n, plain_evaluation),
        ("evaluate", n, evaluation),
        ("curves in six bands", n, lambda: stars[:].observe({"mjd": np.full(6, 60000.0), "band": list(BANDS)})),
        ("observe, one cadence for all", n, lambda: stars.observe(visits, seed=2)),
        ("observe, with noise", n, lambda: stars.observe(visits, noise="depth", seed=2)),
        ("observe, own cadences, noise", n, lambda: stars.observe(recipe, noise="depth", seed=2)),
        ("whole chain, one cadence", n, lambda: draw().observe(visits, noise="depth", seed=2)),
        ("whole chain", n, lambda: draw().observe(recipe, noise="depth", seed=2)),
    ]
    if gen.kind == "periodic":
        result = [
            ("decode, plain", n, lambda: in_blocks(gen.model.decoder, z, condition)),
            ("decode", n, lambda: in_blocks(gen.model.decode, z, condition)),
            *result,
        ]
    return result


def measure(cases: list[Stage], *, repeats: int) -> dict[str, list[float]]:
    """Light curves per second of processor time, all stages in turn, `repeats` times."""
    rates: dict[str, list[float]] = {name: [] for name, _, _ in cases}
    for _, _, call in cases:
        call()
    for _ in range(repeats):
        for name, n, call in cases:
            start = time.process_time()
            call()
            rates[name].append(n / (time.process_time() - start))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="name or folder of a generator; the bundled default where not given")
    parser.add_argument("--stars", type=int, default=1024)
    parser.add_argument("--cls", default="RRLYR")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("observe.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    gen = load_generator(options.model)
    load_before = os.getloadavg()
    rates = measure(stages(gen, options.stars, options.cls), repeats=options.repeats)
    machine = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "load_average": [round(v, 2) for v in (*load_before, *os.getloadavg())],
    }
    print("\n".join(f"{k}: {v}" for k, v in machine.items()))
    print(f"model: {gen.name}; {options.stars} stars; {options.repeats} interleaved repeats\n")
    print("light curves per second of processor time: median (lowest to highest)")
    for name, values in rates.items():
        print(f"  {name:30s} {statistics.median(values):10.0f}  ({min(values):.0f} to {max(values):.0f})")
    ratios = {}
    for name in [name for name in rates if f"{name}, plain" in rates]:
        pairs = [a / b for a, b in zip(rates[name], rates[f"{name}, plain"], strict=True)]
        ratios[name] = {"median": statistics.median(pairs), "all": pairs}
        print(f"  ratio {name} / plain: {statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})")
    result = {"machine": machine, "model": gen.name, "stars": options.stars, "rates": rates, "ratios": ratios}
    temporary = options.output.with_name(f".{options.output.name}.tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(temporary, options.output)
    print(f"\nwritten: {options.output}")


if __name__ == "__main__":
    main()
