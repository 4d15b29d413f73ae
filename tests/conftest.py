"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from lcgen import LightCurveGenerator, LightCurves

ROOT = Path(__file__).resolve().parent.parent

# A shell that starts a command in the background lets it ignore interrupts, which some tests raise.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _find_data() -> Path | None:
    named = os.environ.get("LCGEN_DATA")
    for candidate in [Path(named)] if named else [ROOT.parent / "shared" / "data"]:
        if (candidate / "lightcurves").is_dir():
            return candidate
    return None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real survey data; skips without it, but never on CI."""
    found = _find_data()
    if found is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("the survey data is missing: set LCGEN_DATA to its folder")
        pytest.skip("needs the real survey data: set LCGEN_DATA to its folder")
    return found


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Torch on one thread: networks as small as those of the tests only wait for a second one."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_model(data_dir: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """The folder of a generator trained with ``configs/tiny.toml``, once a session."""
    from lcgen import train

    settings = tomllib.loads((ROOT / "configs" / "tiny.toml").read_text())
    # of the training, most time would go into the mixtures of the population, which have tests of their own
    settings["population"] = {"max_components": 1}
    settings["data"]["folder"] = str(data_dir)
    return train(settings, output=tmp_path_factory.mktemp("tiny"), progress=False)


@pytest.fixture(scope="session")
def tiny_generator(tiny_model: Path) -> LightCurveGenerator:
    """The generator of :func:`tiny_model`, as a user would load it."""
    from lcgen import load_generator

    return load_generator(tiny_model)


@pytest.fixture(scope="session")
def shipped_generator(one_thread: None) -> LightCurveGenerator:
    """The bundled default model."""
    from lcgen import load_generator

    return load_generator()


@pytest.fixture(scope="session")
def css_sample(data_dir: Path) -> LightCurves:
    """Forty real stars of every class but Cepheids, from Catalina South."""
    from lcgen import read_pack

    curves = read_pack(data_dir / "lightcurves" / "css_south_v.h5", with_period=True)
    cls = np.asarray(curves.columns["class"])
    rows = [np.flatnonzero(cls == c)[:40] for c in np.unique(cls) if c not in ("", "CEP")]
    return curves.take(np.concatenate(rows))


@pytest.fixture(scope="session")
def ogle_sample(data_dir: Path) -> LightCurves:
    """Forty real Cepheids of OGLE-III, each in I and in V."""
    from lcgen import LightCurves, read_pack

    packs = [read_pack(data_dir / "lightcurves" / f"ogle3_lmc_cep_{band}.h5", with_period=True) for band in ("i", "v")]
    both = np.intersect1d(packs[0].columns["id"], packs[1].columns["id"])[::25][:40]
    return LightCurves.concatenate([p.take(np.flatnonzero(np.isin(p.columns["id"], both))) for p in packs])


@pytest.fixture(scope="session")
def small_packs(css_sample: LightCurves, ogle_sample: LightCurves, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with small packs of real stars, to train on in seconds."""
    from lcgen.catalog import write_pack

    folder = tmp_path_factory.mktemp("data")
    cls = np.asarray(css_sample.columns["class"])
    few = np.flatnonzero(np.isin(cls, ["RRLYR", "ECL"]))
    band = ogle_sample.band_index[ogle_sample.offsets[:-1]]
    parts = {"css_v": (css_sample.take(few), "CSS", "V")} | {
        f"ogle_{name.lower()}": (ogle_sample.take(np.flatnonzero(band == k)), "OGLE-III", name)
        for k, name in enumerate(ogle_sample.band_names)
    }
    for name, (curves, survey, passband) in parts.items():
        curves = curves.where(np.concatenate([np.arange(n) < 100 for n in np.diff(curves.offsets)]))
        write_pack(curves, folder / f"{name}.h5", survey=survey, band=passband, citation="", time_standard="MJD")
    return folder


@pytest.fixture(scope="session")
def small_settings(small_packs: Path, one_thread: None) -> Callable[..., dict[str, Any]]:
    """Settings of a training of a second or two on :func:`small_packs`; keywords replace whole tables."""

    def settings(**changes: Any) -> dict[str, Any]:
        packs = [("css_v.h5", "CSS"), ("ogle_i.h5", "OGLE-III"), ("ogle_v.h5", "OGLE-III")]
        return {
            "name": "small",
            "data": {
                "folder": str(small_packs),
                "packs": [{"path": p, "survey": s} for p, s in packs],
                "physical_parameters": False,
            },
            "clean": {"CSS": {"snr_min": 1.0, "clip_rounds": 1}, "OGLE-III": {"clip_rounds": 1}},
            "model": {"latent_dim": 3, "decoder_channels": [8, 8, 8, 8, 8], "encoder_channels": [8, 8, 8, 8]},
            "training": {
                **{"epochs": 3, "steps_per_epoch": 6, "batch_size": 16, "points": 64, "warmup_steps": 5},
                **{"beta": 1e-3, "learning_rate": 5e-3, "average": 0.5, "active_variance": 1e-8},
            },
            "latent": {"options": {"epochs": 1, "hidden": [16], "transforms": 1}, "table": False},
            "population": {"source": "curves", "max_components": 1},
        } | changes

    return settings
