"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from lightcurvelynx.noise_models.base_noise_models import PoissonFluxNoiseModel
from lightcurvelynx.obstable.opsim import OpSim
from lightcurvelynx.survey_info import SurveyInfo

from lcgen import LightCurveGenerator, load_generator

FIELD = (60.0, -30.0)


@pytest.fixture(scope="session")
def generator() -> LightCurveGenerator:
    """The bundled default model."""
    import torch

    torch.set_num_threads(1)
    return load_generator()


@pytest.fixture(scope="session")
def survey() -> SurveyInfo:
    """Sixty visits of one field in six bands, with the library's noise; passbands it would download."""
    n = 60
    rng = np.random.default_rng(3)
    table = OpSim(
        {
            "observationStartMJD": np.sort(rng.uniform(60980.0, 61345.0, n)),
            "fieldRA": np.full(n, FIELD[0]),
            "fieldDec": np.full(n, FIELD[1]),
            "filter": np.tile(list("ugrizy"), n // 6),
            "airmass": rng.uniform(1.0, 1.5, n),
            "seeingFwhmEff": rng.uniform(0.7, 1.2, n),
            "skyBrightness": np.full(n, 21.0),
            "visitExposureTime": np.full(n, 30.0),
            "numExposures": np.ones(n, dtype=int),
        }
    )
    return SurveyInfo(table, noise_model=PoissonFluxNoiseModel(), survey_name="none")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real survey data; skips without it, but never on CI."""
    named = os.environ.get("LCGEN_DATA")
    default = Path(__file__).resolve().parents[4] / "shared" / "data"
    found = Path(named) if named else default
    if not (found / "cadences").is_dir():
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("the survey data is missing: set LCGEN_DATA to its folder")
        pytest.skip("needs the real survey data: set LCGEN_DATA to its folder")
    return found
