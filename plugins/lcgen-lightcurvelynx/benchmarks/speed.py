"""What decoding once a batch is worth: this package's model beside one that asks lcgen for each star and filter.

    python benchmarks/speed.py [--stars 200] [--visits 840] [--rounds 5] [--output speed.json]

Both models run in LightCurveLynx's ``simulate_lightcurves`` with its noise and saturation, under the same visits of one
field in six bands, one process, turn and turn about; the median of the rounds is reported. The other model is the one
that a reader of LightCurveLynx's guide would write first: ``compute_bandflux`` calls ``gen.sample`` with the parameters
of the star.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from lightcurvelynx.models.physical_model import BandfluxModel
from lightcurvelynx.noise_models.base_noise_models import PoissonFluxNoiseModel
from lightcurvelynx.obstable.opsim import OpSim
from lightcurvelynx.simulate import simulate_lightcurves
from lightcurvelynx.survey_info import SurveyInfo

from lcgen import load_generator
from lcgen.photometry import mag_to_flux
from lcgen_lightcurvelynx import PeriodicStarModel

RA, DEC = 60.0, -30.0


class OneAtATime(BandfluxModel):
    """The same stars, of one class, each decoded again for each filter."""

    def __init__(self, cls: str, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cls, self.seed, self.gen = cls, seed, load_generator()
        self.same = PeriodicStarModel(cls, mean_mag=19.0, seed=seed)
        for name in ("star_id", "period", "amplitude", "mean_mag"):
            self.add_parameter(name, self.same.get_parameter_indicator(name))
        self.set_parameter("t0", self.same.get_parameter_indicator("t0"))

    def compute_bandflux(self, times: np.ndarray, filter: str, state: Any) -> np.ndarray:
        params = {name: self.get_param(state, name) for name in ("period", "amplitude", "mean_mag", "t0")}
        curve = self.gen.sample(self.cls, params, times, band=filter, seed=self.seed)
        return mag_to_flux(curve.mag, filter)


def survey(visits: int) -> SurveyInfo:
    rng = np.random.default_rng(1)
    table = OpSim(
        {
            "observationStartMJD": np.sort(rng.uniform(60980.0, 64630.0, visits)),
            "fieldRA": np.full(visits, RA),
            "fieldDec": np.full(visits, DEC),
            "filter": rng.choice(list("ugrizy"), visits),
            "airmass": np.full(visits, 1.2),
            "seeingFwhmEff": np.full(visits, 0.9),
            "skyBrightness": np.full(visits, 21.0),
            "visitExposureTime": np.full(visits, 30.0),
            "numExposures": np.ones(visits, dtype=int),
        }
    )
    return SurveyInfo(table, noise_model=PoissonFluxNoiseModel(), survey_name="none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stars", type=int, default=200)
    parser.add_argument("--visits", type=int, default=840)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    models = {
        "this package": PeriodicStarModel("RRLYR", mean_mag=19.0, ra=RA, dec=DEC, seed=1),
        "gen.sample for each star and filter": OneAtATime("RRLYR", 1, ra=RA, dec=DEC),
    }
    info = survey(options.visits)
    simulation: dict[str, list[float]] = {name: [] for name in models}
    fluxes: dict[str, list[float]] = {name: [] for name in models}
    times, filters = info.obstable["time"].to_numpy(dtype=float), info.obstable["filter"].to_numpy(dtype=str)
    for turn in range(options.rounds + 1):
        for name, model in models.items():
            start = time.perf_counter()
            simulate_lightcurves(model, options.stars, info, rng=np.random.default_rng(1), progress_bar=False)
            middle = time.perf_counter()
            model.evaluate_bandfluxes(None, times, filters, model.sample_parameters(num_samples=options.stars))
            if turn:  # the first loads and warms up
                simulation[name].append(middle - start)
                fluxes[name].append(time.perf_counter() - middle)
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS')}",
        **vars(options) | {"output": None},
    }
    for what, seconds in (("simulation", simulation), ("fluxes alone", fluxes)):
        rates = {name: options.stars / statistics.median(s) for name, s in seconds.items()}
        ours, other = rates.values()
        result[what] = {name: round(rate, 1) for name, rate in rates.items()} | {"ratio": round(ours / other, 1)}
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
