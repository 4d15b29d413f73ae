"""Light curves per second beside LightCurveLynx, and writing of ensembles beside plain h5py.

    python -m venv lynx && lynx/bin/pip install lightcurvelynx==0.6.6
    python benchmarks/ensemble_speed.py --lynx lynx/bin/python [--output ensemble_speed.json]

See ``benchmarks/README.md`` for what is measured and how.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BANDS = ("u", "g", "r", "i", "z", "y")
FIELD = (60.0, -30.0)

# From a number of stars to seconds of processor time and of wall-clock time.
Timed = tuple[float, float]
Case = Callable[[int], Timed]


def timed(call: Callable[[], Any]) -> Timed:
    """Processor and wall-clock time of a call [s]."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.process_time() - cpu, time.perf_counter() - wall


# ---------------------------------------------------------------------- LightCurveLynx, in a process of its own
def lynx_cases(data: dict[str, np.ndarray]) -> dict[str, Case]:
    """LightCurveLynx as its pages say (one band at a time), and with all bands of a star in one array operation."""
    from lightcurvelynx.math_nodes.given_sampler import GivenValueList
    from lightcurvelynx.models.physical_model import BandfluxModel
    from lightcurvelynx.noise_models.base_noise_models import PoissonFluxNoiseModel
    from lightcurvelynx.obstable.opsim import OpSim
    from lightcurvelynx.simulate import simulate_lightcurves
    from lightcurvelynx.survey_info import SurveyInfo

    flux, period, zero = data["flux"], data["period"], data["t0"]
    n, n_grid = flux.shape[1], flux.shape[2]
    position = {b: k for k, b in enumerate(BANDS)}
    table = OpSim(
        {
            "observationStartMJD": data["mjd"],
            "fieldRA": np.full(data["mjd"].size, FIELD[0]),
            "fieldDec": np.full(data["mjd"].size, FIELD[1]),
            "filter": data["band"],
            "airmass": np.full(data["mjd"].size, 1.2),
            "seeingFwhmEff": np.full(data["mjd"].size, 0.9),
            "skyBrightness": np.full(data["mjd"].size, 21.0),
            "visitExposureTime": np.full(data["mjd"].size, 30.0),
            "numExposures": np.ones(data["mjd"].size, dtype=int),
        }
    )
    survey = SurveyInfo(table, noise_model=PoissonFluxNoiseModel(), survey_name="none")

    def linear(star: int, which: Any, times: np.ndarray) -> np.ndarray:
        """Fluxes by linear interpolation between the points of a table, the least work there is."""
        place = ((times - zero[star]) / period[star]) % 1.0 * n_grid
        low = place.astype(np.int64)
        share = place - low
        rows = flux[:, star]
        return rows[which, low % n_grid] * (1.0 - share) + rows[which, (low + 1) % n_grid] * share

    class ByBand(BandfluxModel):  # type: ignore[misc]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.add_parameter("star", GivenValueList(np.arange(n), stateful=False))

        def compute_bandflux(self, times: np.ndarray, filter: str, state: Any) -> np.ndarray:
            return linear(int(self.get_param(state, "star")), position[filter], times)

    class Batched(ByBand):
        def _evaluate_bandfluxes_single(
            self, passband_group: Any, times: np.ndarray, filters: np.ndarray, state: Any
        ) -> np.ndarray:
            return linear(int(self.get_param(state, "star")), data["position"], times)

    def run(model: Any, stars: int, saturation: bool) -> None:
        made = simulate_lightcurves(
            model, stars, survey, rng=np.random.default_rng(1), progress_bar=False, apply_saturation=saturation
        )
        if int(made["nobs"].sum()) != stars * data["mjd"].size:
            raise RuntimeError("LightCurveLynx did not observe all visits")

    def case(model: Any, saturation: bool = True) -> Case:
        return lambda stars: timed(lambda: run(model, stars, saturation))

    ra, dec = FIELD
    return {
        "by band": case(ByBand(ra=ra, dec=dec, t0=0.0, redshift=0.0)),
        "custom batched": case(Batched(ra=ra, dec=dec, t0=0.0, redshift=0.0)),
        "custom batched, saturation off": case(Batched(ra=ra, dec=dec, t0=0.0, redshift=0.0), saturation=False),
    }


def serve_lynx(path: str) -> None:
    """Answer requests ``[case, stars]`` with times, one JSON line each."""
    with np.load(path) as stored:
        cases = lynx_cases({k: stored[k] for k in stored.files})
    sys.stdout.write(json.dumps(list(cases)) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        name, stars = json.loads(line)
        sys.stdout.write(json.dumps(cases[name](stars)) + "\n")
        sys.stdout.flush()


class Lynx:
    """LightCurveLynx in a process with its own environment, asked for one measurement at a time."""

    def __init__(self, python: str, data: dict[str, np.ndarray], folder: Path) -> None:
        stored: dict[str, Any] = dict(data)
        np.savez(folder / "lynx.npz", **stored)
        command = [python, "-W", "ignore", __file__, "--serve-lynx", str(folder / "lynx.npz")]
        self._process: Any = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.names: list[str] = self._answer()

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("LightCurveLynx ended; its message stands above")
        return json.loads(line)

    def case(self, name: str) -> Case:
        def measure(stars: int) -> Timed:
            self._process.stdin.write(json.dumps([name, stars]) + "\n")
            self._process.stdin.flush()
            cpu, wall = self._answer()
            return cpu, wall

        return measure

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


# ---------------------------------------------------------------------- lcgen
def lcgen_cases(gen: Any, cls: str) -> tuple[dict[str, Case], dict[str, np.ndarray]]:
    """Drawing and observing in six bands, and what LightCurveLynx needs to show like stars under the same visits."""
    from lcgen.cadence import load_recipe

    given = {"mean_mag": 20.0, "ra": FIELD[0], "dec": FIELD[1]}
    recipe = load_recipe("lsst-wfd", per_star=True)
    one = recipe.visits(ra=FIELD[0], dec=FIELD[1], seed=2)
    visits = {"mjd": one.mjd, "band": one.band, "depth5": one.depth5}

    def draw(stars: int) -> Any:
        return gen.draw(cls, stars, params=given, seed=1)

    def case(cadence: Any, noise: str = "depth") -> Case:
        return lambda stars: timed(lambda: draw(stars).observe(cadence, noise=noise, seed=2))

    cases = {
        "draw and observe": case(visits),
        "draw and observe, saturation": case(visits, "lsst"),
        "draw and observe, own visits": case(recipe),
        "draw": lambda stars: timed(lambda: draw(stars)),
        "observe": lambda stars: _again(draw(stars), visits),
    }
    stars = draw(4000)
    curves = np.stack([stars.template(128, b) + stars.mean_magnitude(b)[:, None] for b in BANDS])
    data = {
        "flux": 10.0 ** (0.4 * (31.4 - curves)),
        "period": stars.columns["period"],
        "t0": stars.columns["t0"],
        "mjd": np.asarray(one.mjd),
        "band": np.asarray(one.band).astype(str),
        "position": np.array([BANDS.index(b) for b in one.band]),
    }
    return cases, data


def _again(stars: Any, visits: Any) -> Timed:
    """Observing stars whose curves in all bands are made already."""
    stars.observe(visits, noise="depth", seed=2)
    return timed(lambda: stars.observe(visits, noise="depth", seed=3))


# ---------------------------------------------------------------------- writing
def writing_cases(gen: Any, cls: str, folder: Path, compression: Any) -> dict[str, Case]:
    """An ensemble through the writer, and its arrays through h5py with the same chunks and filters."""
    import h5py

    from lcgen.ensemble import EnsembleHeader, EnsembleWriter
    from lcgen.ensemble.writer import DEFAULT_CHUNK

    visits = {"mjd": np.sort(np.random.default_rng(1).uniform(60000, 63650, 825)), "band": np.resize(BANDS, 825)}
    visits["depth5"] = np.full(825, 24.5)
    block = gen.draw(cls, 500, params={"mean_mag": 20.0}, seed=1).observe(visits, noise="depth", seed=2)
    header = EnsembleHeader(generator="benchmark", checkpoint_sha256="", seed=1, cadence="benchmark")
    ids = np.asarray(block.columns["star_id"])
    options: dict[str, Any] = {"fletcher32": True}
    if compression:
        options |= {"compression": compression, "shuffle": True}
    if compression == "gzip":
        options["compression_opts"] = 1

    def blocks(stars: int) -> list[Any]:
        return [
            dataclasses.replace(block, columns=block.columns | {"star_id": ids + k * ids.size})
            for k in range(stars // ids.size)
        ]

    def ours(stars: int) -> Timed:
        parts = blocks(stars)
        path = folder / "ours.h5"

        def write() -> None:
            with EnsembleWriter(path, header=header, n_stars=stars, compression=compression, overwrite=True) as writer:
                for part in parts:
                    writer.append(part)

        return timed(write)

    def plain(stars: int) -> Timed:
        arrays: dict[str, np.ndarray] = {}
        with h5py.File(folder / "ours.h5") as written:
            for group in ("stars", "observations"):
                columns: Any = written[group]
                arrays |= {f"{group}/{name}": dataset[()] for name, dataset in columns.items()}
        chunks = {"stars": 16384, "observations": DEFAULT_CHUNK}

        def write() -> None:
            path = folder / "plain.h5"
            with h5py.File(path, "w") as file:
                for name, values in arrays.items():
                    chunk = (min(values.size, chunks[name.partition("/")[0]]),)
                    file.create_dataset(name, data=values, chunks=chunk, **options)
            with path.open("rb+") as file:
                os.fsync(file.fileno())

        return timed(write)

    return {"ours": ours, "plain": plain}


# ---------------------------------------------------------------------- measuring
def rounds(cases: dict[str, tuple[Case, int]], repeats: int) -> dict[str, list[Timed]]:
    """Seconds a star, all cases in turn, several times; a first round is not counted."""
    out: dict[str, list[Timed]] = {name: [] for name in cases}
    for turn in range(repeats + 1):
        for name, (case, stars) in cases.items():
            cpu, wall = case(stars)
            if turn:
                out[name].append((cpu / stars, wall / stars))
    return out


def ratios(fast: Sequence[Timed], slow: Sequence[Timed]) -> dict[str, Any]:
    """How many times faster, round by round, by processor time and by the clock."""
    out: dict[str, Any] = {}
    for k, word in enumerate(("cpu", "wall")):
        pairs = [b[k] / a[k] for a, b in zip(fast, slow, strict=True)]
        out[word] = {"median": statistics.median(pairs), "low": min(pairs), "high": max(pairs), "all": pairs}
    return out


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    import h5py
    import torch

    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "h5py": h5py.__version__,
        "load_average": [round(v, 2) for v in os.getloadavg()],
    }


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lynx", help="python of an environment with lightcurvelynx==0.6.6; left out where not given")
    parser.add_argument("--model", help="name or folder of a generator; the bundled default where not given")
    parser.add_argument("--cls", default="RRLYR")
    parser.add_argument("--stars", type=int, default=2000)
    parser.add_argument("--lynx-stars", type=int, default=300)
    parser.add_argument("--written-stars", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where files are written in the measurement of writing")
    parser.add_argument("--output", type=Path, default=Path("ensemble_speed.json"))
    parser.add_argument("--serve-lynx", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.serve_lynx:
        serve_lynx(options.serve_lynx)
        return
    import torch

    import lcgen

    torch.set_num_threads(1)
    gen = lcgen.load_generator(options.model)
    result: dict[str, Any] = {"machine": machine(), "model": gen.name, "class": options.cls}
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        own, data = lcgen_cases(gen, options.cls)
        cases = {name: (case, options.stars) for name, case in own.items()}
        lynx = Lynx(options.lynx, data, folder) if options.lynx else None
        if lynx is not None:
            cases |= {f"LightCurveLynx, {name}": (lynx.case(name), options.lynx_stars) for name in lynx.names}
        result["visits"] = int(data["mjd"].size)
        result["light curves"] = measured = rounds(cases, options.repeats)
        if lynx is not None:
            lynx.close()
            result["ratios"] = {
                f"{name} / {other}": ratios(measured[name], measured[other])
                for other in ("LightCurveLynx, custom batched", "LightCurveLynx, custom batched, saturation off")
                for name in own
            }
        result["writing"] = {}
        for compression in ("gzip", "lzf", None):
            pair = writing_cases(gen, options.cls, folder, compression)
            times = rounds({k: (v, options.written_stars) for k, v in pair.items()}, options.repeats)
            result["writing"][str(compression)] = ratios(times["ours"], times["plain"]) | {"seconds a star": times}
    report(result)
    unfinished = options.output.with_name(f".{options.output.name}.tmp")
    unfinished.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(unfinished, options.output)
    print(f"\nwritten: {options.output}")


def report(result: dict[str, Any]) -> None:
    """Print the tables."""
    print("\n".join(f"{k}: {v}" for k, v in result["machine"].items()))
    print(f"model: {result['model']}, class {result['class']}, {result['visits']} visits in six bands\n")
    print("light curves per second of processor time (of the clock): median, lowest to highest")
    for name, times in result["light curves"].items():
        cpu, wall = ([1.0 / t[k] for t in times] for k in (0, 1))
        middle = statistics.median
        print(f"  {name:34s} {middle(cpu):8.0f} ({min(cpu):.0f} to {max(cpu):.0f}), by the clock {middle(wall):.0f}")
    for name, ratio in result.get("ratios", {}).items():
        r, w = ratio["cpu"], ratio["wall"]
        print(
            f"  {name}: {r['median']:.1f} ({r['low']:.1f} to {r['high']:.1f}), "
            f"by the clock {w['median']:.1f} ({w['low']:.1f} to {w['high']:.1f})"
        )
    print("\nspeed of writing as a share of plain h5py's")
    for name, ratio in result["writing"].items():
        r, w = ratio["cpu"], ratio["wall"]
        print(
            f"  {name}: {r['median']:.2f} ({r['low']:.2f} to {r['high']:.2f}) by processor time, "
            f"by the clock {w['median']:.2f} ({w['low']:.2f} to {w['high']:.2f})"
        )


if __name__ == "__main__":
    main()
