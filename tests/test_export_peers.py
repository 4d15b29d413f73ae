"""Exports that are read by LightCurveLynx, and by LSDB, which is too large for the developers' environment.

LSDB is installed, with all it needs, into a virtual environment of its own: in the folder that ``LCGEN_PEERS`` names,
which is made if it is not there (about 1 GB, some minutes). Without it its test is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcgen import LightCurveGenerator, generate_ensemble, open_ensemble
from lcgen.export import export_ensemble
from lcgen.observe import DepthNoise

PACKAGES = ("lsdb==0.11.1",)

READ_HATS = """
import json, sys
import lsdb, nested_pandas
from hats.io.validation import is_valid_catalog
folder = sys.argv[1]
catalog = lsdb.open_catalog(folder)
frame = catalog.compute().sort_values("star_id")
near = catalog.cone_search(ra=float(frame.ra.iloc[0]), dec=float(frame.dec.iloc[0]), radius_arcsec=3600).compute()
print(json.dumps({
    "valid": bool(is_valid_catalog(folder, strict=True)),
    "star_id": frame.star_id.tolist(), "class": frame["class"].tolist(), "period": frame.period.tolist(),
    "near": near.star_id.tolist(),
    "mjd": frame["lightcurve.mjd"].tolist(), "flux": frame["lightcurve.flux"].tolist(),
    "flux_err": frame["lightcurve.flux_err"].tolist(), "band": frame["lightcurve.band"].tolist(),
}))
"""

READ_LCLIB = """
import json, sys
import numpy as np
from lightcurvelynx.astro_utils.passbands import Passband, PassbandGroup
from lightcurvelynx.models.lightcurve_template_model import MultiLightcurveTemplateModel
from lightcurvelynx.utils.io_utils import read_lclib_data
wave = np.arange(3000.0, 11000.0, 10.0)
bands = [Passband(np.column_stack([wave, np.exp(-0.5 * ((wave - c) / 300) ** 2)]), "LSST", b)
         for b, c in (("g", 4800), ("r", 6200), ("i", 7500))]
model = MultiLightcurveTemplateModel.from_lclib_file(sys.argv[1], PassbandGroup(bands), t0=0.0, ra=0.0, dec=0.0)
wanted = json.load(open(sys.argv[2]))
flux = [[float(curve.evaluate_bandfluxes(np.array([t % curve.period]), b)[0]) for t, b in zip(star["t"], star["band"])]
        for curve, star in zip(model.lightcurves, wanted)]
print(json.dumps({
    "period": [float(c.period) for c in model.lightcurves], "flux": flux,
    "parameters": [t.meta["PARVAL"] for t in read_lclib_data(sys.argv[1])],
}))
"""


@pytest.fixture(scope="module")
def peers() -> Path:
    """The Python of the environment with LSDB."""
    named = os.environ.get("LCGEN_PEERS")
    if not named:
        pytest.skip("needs LSDB: set LCGEN_PEERS to a folder for its environment")
    python = Path(named).absolute() / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", named], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def run_peer(python: Path, program: str, *arguments: object) -> Any:
    done = subprocess.run([str(python), "-c", program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_lsdb_reads_hats_catalogues(peers: Path, shipped_generator: LightCurveGenerator, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    given = {"mean_mag": 18.0, "ra": rng.uniform(0, 360, 40), "dec": rng.uniform(-70, 10, 40)}
    generate_ensemble(
        shipped_generator,
        tmp_path / "a.h5",
        **{"n_per_class": 5, "cadence": "lsst-wfd", "seed": 1, "noise": DepthNoise(), "params": given},
    )
    export_ensemble(tmp_path / "a.h5", "hats", tmp_path / "cat", options={"max_rows": 4}, block_size=7)
    found = run_peer(peers, READ_HATS, tmp_path / "cat")
    assert found["valid"]
    with open_ensemble(tmp_path / "a.h5") as ensemble:
        curves = ensemble[:]
    for name in ("star_id", "class", "period"):
        assert found[name] == np.asarray(curves.columns[name]).tolist()
    assert 0 in found["near"]
    for name in ("mjd", "flux", "flux_err"):
        np.testing.assert_array_equal(np.asarray(found[name], getattr(curves, name).dtype), getattr(curves, name))
    assert found["band"] == curves.band.tolist()


def test_lightcurvelynx_reads_lclib(shipped_generator: LightCurveGenerator, tmp_path: Path) -> None:
    mjd = np.sort(np.random.default_rng(4).uniform(60000, 60400, 60))
    cadence = mjd, np.array(["g", "r", "i"])[np.arange(60) % 3]
    generate_ensemble(
        shipped_generator, tmp_path / "a.h5", n_per_class=3, cadence=cadence, seed=5, mean_mag=(16.0, 20.0)
    )
    export_ensemble(tmp_path / "a.h5", "lclib", tmp_path / "a.dat", options={"n_phase": 512})
    with open_ensemble(tmp_path / "a.h5") as ensemble:
        stars = list(ensemble)
    times = [{"t": (s.phase() * s.star["period"]).tolist(), "band": s.band.tolist()} for s in stars]
    (tmp_path / "times.json").write_text(json.dumps(times))
    found = run_peer(Path(sys.executable), READ_LCLIB, tmp_path / "a.dat", tmp_path / "times.json")
    np.testing.assert_allclose(found["period"], [s.star["period"] for s in stars], rtol=1e-5)
    for star, flux, parameters in zip(stars, found["flux"], found["parameters"], strict=True):
        np.testing.assert_allclose(float(parameters["PERIOD"]), star.star["period"], rtol=1e-8)
        assert int(parameters["STAR_ID"]) == star.star["star_id"]
        ratio = np.asarray(flux) / star.flux
        np.testing.assert_allclose(ratio, 1.0, atol=0.02)
        assert np.median(np.abs(ratio - 1.0)) < 1e-3
