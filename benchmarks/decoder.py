"""Curves per second of lcgen's decoder and of the released PELS-VAE decoder, side by side in one run.

    python benchmarks/decoder.py --released pelsvae/yp4qdw1r --model pretrained/NAME --output decoder.json

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
from lcgen.generator import LightCurveGenerator
from lcgen.interpolate import evaluate_periodic
from lcgen.model.blocks import BLOCK, in_blocks
from lcgen.model.published import load_released
from lcgen.model.published_data import CYCLES, scale_phase

GOAL = 80.0
GOAL_MMAG = 1.0
RELEASED_STEPS = (300, 600)
RELEASED_BATCHES = (4, 8, 16, 32, 64)
PERIODIC_BATCHES = (64, 128, 256, 512, 1024)
_BLOCK_ROWS = 1024
_FINE = 2048
UNFOLDED = "lcgen unfolded"

Case = tuple[str, int, Callable[[], Any]]


def released_cases(run_dir: Path) -> list[Case]:
    """The released decoder at several batch sizes, for passes of 300 and of 600 steps."""
    network = load_released(run_dir)
    generator = torch.Generator().manual_seed(1)
    cases: list[Case] = []
    for steps in RELEASED_STEPS:
        grid = torch.as_tensor(scale_phase(np.arange(steps) / steps * CYCLES), dtype=torch.float32)
        for batch in RELEASED_BATCHES:
            z = torch.randn(batch, network.config.latent_dim, generator=generator)
            label = torch.eye(network.config.n_classes)[torch.arange(batch) % network.config.n_classes]
            phase = grid.expand(batch, -1)
            cases.append(
                (f"released {steps}", batch, lambda z=z, label=label, phase=phase: network.decode(z, label, phase))
            )
    return cases


def periodic_cases(gen: LightCurveGenerator) -> list[Case]:
    """lcgen's decoder at several batch sizes, and in the blocks of fixed size that a generator uses."""
    generator = torch.Generator().manual_seed(2)
    n_condition, model = gen.conditioner.n_decoder, gen.model

    def inputs(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        z = torch.randn(n, model.latent_dim, generator=generator)
        return z, torch.randn(n, n_condition, generator=generator)

    cases: list[Case] = []
    for batch in PERIODIC_BATCHES:
        z, condition = inputs(batch)
        cases.append(("lcgen", batch, lambda z=z, condition=condition: model.decode(z, condition)))
        if gen.kind == "periodic":
            # as in training, without the folded weights of inference
            cases.append((UNFOLDED, batch, lambda z=z, condition=condition: model.decoder(z, condition)))
    z, condition = (t.numpy() for t in inputs(_BLOCK_ROWS))
    cases.append((f"lcgen in blocks of {BLOCK}", _BLOCK_ROWS, lambda: in_blocks(model.decode, z, condition)))
    return cases


def measure(cases: list[Case], *, repeats: int, seconds: float) -> dict[tuple[str, int], dict[str, list[float]]]:
    """Curves per second of wall-clock and of processor time, all cases in turn, `repeats` times."""
    rates: dict[tuple[str, int], dict[str, list[float]]] = {(n, b): {"wall": [], "cpu": []} for n, b, _ in cases}
    with torch.no_grad():
        for _, _, call in cases:
            call()
        for _ in range(repeats):
            for name, batch, call in cases:
                wall, cpu, done = time.perf_counter(), time.process_time(), 0
                while time.perf_counter() - wall < seconds:
                    call()
                    done += batch
                rates[name, batch]["wall"].append(done / (time.perf_counter() - wall))
                rates[name, batch]["cpu"].append(done / (time.process_time() - cpu))
    return rates


def best(rates: dict[tuple[str, int], dict[str, list[float]]], name: str, clock: str) -> tuple[int, list[float]]:
    """The batch size with the highest median, and its rates."""
    batch = max((b for n, b in rates if n == name), key=lambda b: statistics.median(rates[name, b][clock]))
    return batch, rates[name, batch][clock]


def interpolation_error(gen: LightCurveGenerator, *, stars: int, seed: int) -> dict[str, dict[str, float]]:
    """RMS [mmag] by class of the cubic between grid points, against the trigonometric one through the same points."""
    out = {}
    phase = np.arange(_FINE) / _FINE
    for cls in gen.classes:
        drawn = gen.draw(cls, stars, seed=seed)
        shape = gen.decode(drawn.columns["class"], drawn.columns, drawn.latent, "V")
        grid = shape * (drawn.columns["amplitude"] / np.ptp(shape, axis=1))[:, None]
        n, n_grid = grid.shape
        spectrum = np.fft.rfft(grid, axis=1)
        spectrum[:, -1] *= 0.5  # of the highest harmonic the grid holds the cosine alone, shared by two signs
        fine = np.fft.irfft(spectrum, n=_FINE, axis=1) * (_FINE / n_grid)
        cubic = evaluate_periodic(grid, np.repeat(np.arange(n), _FINE), np.tile(phase, n)).reshape(n, _FINE)
        rms = 1000.0 * np.sqrt(np.mean((cubic - fine) ** 2, axis=1))
        out[cls] = {
            "median": float(np.median(rms)),
            "p95": float(np.quantile(rms, 0.95)),
            "share_below_goal": float(np.mean(rms < GOAL_MMAG)),
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--released", type=Path, required=True, help="folder of the released run (yp4qdw1r)")
    parser.add_argument("--model", help="name or folder of a generator; the bundled default where not given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4, help="length of one measurement")
    parser.add_argument("--stars", type=int, default=256, help="stars a class for the interpolation error")
    parser.add_argument("--output", type=Path, default=Path("decoder.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    gen = load_generator(options.model)

    load_before = os.getloadavg()
    rates = measure(
        released_cases(options.released) + periodic_cases(gen), repeats=options.repeats, seconds=options.seconds
    )
    machine = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "load_average": [round(v, 2) for v in (*load_before, *os.getloadavg())],
    }
    print("\n".join(f"{k}: {v}" for k, v in machine.items()))
    print(f"model: {gen.name}; released run: {options.released.name}; {options.repeats} interleaved repeats\n")

    ours = ("lcgen", f"lcgen in blocks of {BLOCK}")
    summary: dict[str, Any] = {}
    for clock in ("wall", "cpu"):
        title = "curves per second" if clock == "wall" else "curves per second of processor time, all threads together"
        print(f"{title}: median (lowest to highest)")
        for name in (*(f"released {s}" for s in RELEASED_STEPS), *ours):
            batch, values = best(rates, name, clock)
            summary.setdefault(clock, {})[name] = {"batch": batch, "median": statistics.median(values), "all": values}
            spread = f"({min(values):.0f} to {max(values):.0f})"
            print(f"  {name:24s} batch {batch:5d}  {statistics.median(values):10.0f}  {spread}")
        for steps in RELEASED_STEPS:
            reference = summary[clock][f"released {steps}"]["all"]
            for name in ours:
                # the cases of one repeat ran right after each other, so that each repeat has a ratio of its own
                pairs = [a / b for a, b in zip(summary[clock][name]["all"], reference, strict=True)]
                ratio = statistics.median(pairs)
                summary[clock][f"{name} / released {steps}"] = {"median": ratio, "all": pairs}
                print(
                    f"  ratio {name} / released {steps}: {ratio:.1f} ({min(pairs):.1f} to {max(pairs):.1f}); "
                    f"goal {GOAL:g} {'met' if ratio >= GOAL else 'missed'}"
                )
        if any(name == UNFOLDED for name, _ in rates):
            _, reference = best(rates, UNFOLDED, clock)
            pairs = [a / b for a, b in zip(summary[clock]["lcgen"]["all"], reference, strict=True)]
            summary[clock][f"lcgen / {UNFOLDED}"] = {"median": statistics.median(pairs), "all": pairs}
            print(f"  ratio lcgen / {UNFOLDED}: {statistics.median(pairs):.1f} ({min(pairs):.1f} to {max(pairs):.1f})")
        print()

    error = interpolation_error(gen, stars=options.stars, seed=1)
    print(f"interpolation error, RMS [mmag]; goal {GOAL_MMAG:g}")
    for cls, row in error.items():
        share = f"below goal {100 * row['share_below_goal']:.0f} %"
        print(f"  {cls:6s} median {row['median']:.3f}  95 % {row['p95']:.3f}  {share}")
    result = {
        "machine": machine,
        "model": gen.name,
        "released": options.released.name,
        "summary": summary,
        "cases": [{"case": n, "batch": b, **v} for (n, b), v in rates.items()],
        "interpolation_mmag": error,
    }
    temporary = options.output.with_name(f".{options.output.name}.tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(temporary, options.output)
    print(f"\nwritten: {options.output}")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
