"""LCLIB files: the curves of the stars that are in the ensemble."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcgen import LightCurveGenerator, generate_ensemble, open_ensemble
from lcgen.ensemble import EnsembleWriter
from lcgen.errors import InputError
from lcgen.export import export_ensemble, write_lclib
from lcgen.photometry import band_info
from lcgen.taxonomy import CLASSES

BANDS = ("g", "r", "i")
MJD = np.sort(np.random.default_rng(4).uniform(60000, 60400, 60))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, shipped_generator: LightCurveGenerator) -> Path:
    """Two stars of every class without noise, in three bands."""
    path = tmp_path_factory.mktemp("clean") / "clean.h5"
    cadence = MJD, np.array(BANDS)[np.arange(MJD.size) % 3]
    generate_ensemble(shipped_generator, path, n_per_class=2, cadence=cadence, seed=5, mean_mag=(16.0, 20.0))
    return path


def read(path: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Header and events, by the rules of SNANA's reader."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    header: dict[str, str] = {}
    events: list[dict[str, Any]] = []
    for line in text.split("DOCUMENTATION_END:")[1].splitlines():
        assert len(line) < 200  # what SNANA reads at once
        key, _, value = line.partition(":")
        if key == "START_EVENT":
            events.append({"id": int(value), "rows": []})
        elif key == "NROW":
            words = value.split()
            events[-1]["n"], events[-1]["ra"] = int(words[0]), float(words[2])
        elif key == "PARVAL":
            events[-1]["values"] = dict(
                zip(header["MODEL_PARNAMES"].split(","), map(float, value.split(",")), strict=True)
            )
        elif key == "S":
            events[-1]["rows"].append([float(v) for v in value.split()])
        elif key == "END_EVENT":
            assert int(value) == events[-1]["id"]
            assert len(events[-1]["rows"]) == events[-1]["n"]
        elif line.strip() and not events:
            header[key] = value.strip()
    return header, events


@pytest.mark.parametrize("name", ["stars.dat", "stars.dat.gz"])
def test_curves_go_through_the_noise_free_observations(clean: Path, tmp_path: Path, name: str) -> None:
    export_ensemble(clean, "lclib", tmp_path / name, options={"n_phase": 512}, block_size=5)
    header, events = read(tmp_path / name)
    assert header["FILTERS"] == "gri"
    assert header["RECUR_CLASS"] == "RECUR-PERIODIC"
    assert int(header["NEVENT"]) == len(events)
    assert len(header["MODEL_PARNAMES"]) < 60  # what SNANA has room for
    with open_ensemble(clean) as ensemble:
        assert len(events) == len(ensemble) == 16
        for event, star in zip(events, ensemble, strict=True):
            rows = np.array(event["rows"])
            assert event["id"] == star.star["star_id"]
            assert event["ra"] == 999.0
            np.testing.assert_allclose(rows[-1, 0], star.star["period"], atol=1e-6)
            np.testing.assert_array_equal(rows[0, 1:], rows[-1, 1:])
            assert CLASSES[int(event["values"]["CLASS"]) - 1] == star.star["class"]
            np.testing.assert_allclose(event["values"]["PERIOD"], star.star["period"], rtol=1e-8)
            for k, band in enumerate(BANDS):
                mine = star.band == band
                model = np.interp(star.phase()[mine] * star.star["period"], rows[:, 0], rows[:, 1 + k])
                seen = star.mag[mine] + band_info(band).ab_minus_system
                # narrow eclipses bend within one of 512 rows
                np.testing.assert_allclose(model, seen, atol=0.02)
                assert np.median(np.abs(model - seen)) < 1e-3


def test_stars_in_memory_and_parameters_that_are_unknown(
    shipped_generator: LightCurveGenerator, tmp_path: Path
) -> None:
    given = {"mean_mag": 18.0, "ra": 40.0, "dec": -20.0, "period": 0.5}
    stars = shipped_generator.draw("RRLYR", 3, params=given, seed=2)
    path = write_lclib(stars, tmp_path / "a.dat", filters=("V", "I"), n_phase=16)
    header, events = read(path)
    assert header["FILTERS"] == "VI"
    assert [e["n"] for e in events] == [17, 17, 17]
    assert events[0]["ra"] == 40.0
    rows = np.array([e["rows"] for e in events])
    expected = stars.template(16, "V") + stars.mean_magnitude("V")[:, None] + band_info("V").ab_minus_system
    np.testing.assert_allclose(rows[:, :-1, 1], expected, atol=1e-5)
    assert {e["values"]["LOGG"] for e in events} == {-999.0} or np.isfinite(stars.columns["logg"]).all()
    with pytest.raises(InputError, match="exists"):
        write_lclib(stars, path)
    with pytest.raises(InputError, match="no stars"):
        write_lclib(stars[:0], tmp_path / "b.dat")
    with pytest.raises(InputError, match="at least one band"):
        write_lclib(stars, tmp_path / "b.dat", filters=())


def test_stars_that_cannot_be_drawn_again(shipped_generator: LightCurveGenerator, tmp_path: Path) -> None:
    for name, options, words in (
        ("given", {"params": {"period": 0.5}, "classes": "RRLYR"}, "write_lclib"),
        ("irregular", {"irregular": True}, "stars that repeat"),
    ):
        path = tmp_path / f"{name}.h5"
        generate_ensemble(
            shipped_generator, path, **{"n_per_class": 1, "cadence": MJD, "seed": 1, "mean_mag": 17.0, **options}
        )
        with pytest.raises(InputError, match=words):
            export_ensemble(path, "lclib", tmp_path / "out.dat")
    assert not (tmp_path / "out.dat").exists()


def test_another_generator_is_refused(clean: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with open_ensemble(clean) as ensemble:
        header = dataclasses.replace(ensemble.header, checkpoint_sha256="00" * 32)
        with EnsembleWriter(other, header=header, n_stars=len(ensemble)) as writer:
            writer.append(ensemble[:])
    with pytest.raises(InputError, match="not the one that made the ensemble"):
        export_ensemble(other, "lclib", tmp_path / "out.dat")


def test_stars_that_come_out_otherwise_are_refused(clean: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with open_ensemble(clean) as ensemble:
        curves = ensemble[:]
        columns = {**curves.columns, "period": np.asarray(curves.columns["period"]) * 1.01}
        with EnsembleWriter(other, header=ensemble.header, n_stars=len(ensemble)) as writer:
            writer.append(dataclasses.replace(curves, columns=columns))
    with pytest.raises(InputError, match=r"period was .* is now"):
        export_ensemble(other, "lclib", tmp_path / "out.dat")
    assert not (tmp_path / "out.dat").exists()
