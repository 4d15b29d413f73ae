"""Saturated visits, detection limits, and stars that are left without observations."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lcgen
from lcgen import InputError, LightCurveGenerator, LightCurves, UnknownNameError
from lcgen.cadence import Visits
from lcgen.cli import main
from lcgen.ensemble import EnsembleHeader, EnsembleWriter, generate_ensemble, open_ensemble
from lcgen.observe import DepthNoise, Detection, NoiseRequest, NoisyPhotometry, Saturation

DEPTH = 23.0
N_VISITS = 60


def _visits(n: int = N_VISITS, **columns: Any) -> Visits:
    return Visits(
        mjd=np.linspace(60000.0, 60400.0, n),
        band=np.resize(["V", "I"], n),
        depth5=np.full(n, DEPTH),
        **columns,
    )


def _request(mag: Any, names: tuple[str, ...] = ("r",), **more: Any) -> NoiseRequest:
    mag = np.atleast_1d(np.asarray(mag, dtype=float))
    return NoiseRequest(
        mag=mag,
        band_index=np.arange(mag.size) % len(names),
        band_names=names,
        depth5=np.full(mag.size, 24.5),
        class_name=np.full(mag.size, ""),
        normals=np.zeros(mag.size),
        uniforms=np.zeros(0),
        **more,
    )


@pytest.fixture(scope="module")
def stars(shipped_generator: LightCurveGenerator) -> lcgen.Stars:
    """Stars from far above to far below the depth."""
    return shipped_generator.draw("CEP", 24, params={"mean_mag": np.linspace(13.0, 30.0, 24)}, seed=5)


def _same_rows(some: LightCurves, every: LightCurves, keep: np.ndarray) -> None:
    """The rows of `some` are those of `every` that are kept, byte for byte."""
    for name in ("mjd", "mag", "mag_err", "flux", "flux_err", "band_index"):
        assert getattr(some, name).tobytes() == getattr(every, name)[keep].tobytes(), name
    assert np.array_equal(some.star_index, every.star_index[keep])
    assert some.columns["star_id"].tolist() == every.columns["star_id"].tolist()


# ---------------------------------------------------------------------- saturation
def test_saturated_visits_are_dropped_and_counted(stars: lcgen.Stars) -> None:
    every = stars.observe(_visits(), noise="depth")
    truth = stars.observe(_visits()).mag
    assert "n_saturated" not in every.meta
    some = stars.observe(_visits(), noise=DepthNoise(saturation=Saturation(magnitude={"V": 16.0, "I": 15.0})))
    bright = truth < np.where(every.band == "V", 16.0, 15.0)
    assert some.meta["n_saturated"] == bright.sum() > 100
    _same_rows(some, every, ~bright)
    assert len(some) == len(every)
    assert np.diff(some.offsets)[0] == 0  # the brightest star has no observation left
    assert len(some[0]) == 0
    none = stars.observe(_visits(), noise=DepthNoise(saturation=Saturation(magnitude=-np.inf)))
    assert none.meta["n_saturated"] == 0
    _same_rows(none, every, np.ones(truth.size, dtype=bool))


def test_exposure_time_and_seeing_of_the_schedule_move_the_limit(stars: lcgen.Stars) -> None:
    model = DepthNoise(saturation=Saturation(magnitude=17.0, exposure_time=30.0, seeing=0.8))
    truth = stars.observe(_visits()).mag
    time, seeing = np.resize([10.0, 30.0, 90.0, 30.0], N_VISITS), np.resize([0.8, 0.8, 0.8, 1.6, 0.5], N_VISITS)
    limit = 17.0 + 2.5 * np.log10(time / 30.0) - 5.0 * np.log10(seeing / 0.8)
    found = stars.observe(_visits(exposure_time=time, seeing=seeing), noise=model)
    assert found.meta["n_saturated"] == np.count_nonzero(truth < np.tile(limit, len(stars)))
    only_time = stars.observe(_visits(exposure_time=time), noise=model).meta["n_saturated"]
    assert only_time == np.count_nonzero(truth < np.tile(17.0 + 2.5 * np.log10(time / 30.0), len(stars)))
    assert stars.observe(_visits(), noise=model).meta["n_saturated"] == np.count_nonzero(truth < 17.0)
    # two exposures of half the time are brighter by 0.75 mag than one
    twice = dataclasses.replace(model.saturation, n_exposures=2)
    one, two = (s.limits(_request([15.0], exposure_time=np.array([30.0])))[0] for s in (model.saturation, twice))
    assert one - two == pytest.approx(2.5 * np.log10(2.0))


def test_conditions_of_each_star_are_its_own(stars: lcgen.Stars) -> None:
    class PerStar:
        name, bands, per_star = "own", ("V", "I"), True

        def visits(self, *, ra: Any = None, dec: Any = None, seed: int = 0, index: int = 0) -> Visits:
            return _visits(4 + index, exposure_time=np.full(4 + index, 10.0 * (1 + index)))

    model = DepthNoise(saturation=Saturation(magnitude=17.0))
    every, truth = stars.observe(PerStar(), noise="depth"), stars.observe(PerStar()).mag
    limit = 17.0 + 2.5 * np.log10((1 + every.star_index) / 3.0)
    _same_rows(stars.observe(PerStar(), noise=model), every, truth >= limit)


def test_conditions_of_stars_of_a_batch(stars: lcgen.Stars) -> None:
    class Batch:
        name, bands, per_star, outside = "batch", ("V", "I"), True, "empty"

        def visits(self, *, ra: Any = None, dec: Any = None, seed: int = 0, index: int = 0) -> Visits:
            raise AssertionError("asked star by star")

        def visits_many(self, ra: Any, dec: Any, *, seed: int = 0, index: Any = None) -> list[Visits | None]:
            return [
                None if i % 3 == 1 else _visits(4 + i, exposure_time=np.full(4 + i, 10.0 * (1 + i)))
                for i in np.asarray(index).tolist()
            ]

    model = DepthNoise(saturation=Saturation(magnitude=17.0))
    every, truth = stars.observe(Batch(), noise="depth"), stars.observe(Batch()).mag
    assert np.diff(every.offsets)[:4].tolist() == [4, 0, 6, 7]
    limit = 17.0 + 2.5 * np.log10((1 + every.star_index) / 3.0)
    _same_rows(stars.observe(Batch(), noise=model), every, truth >= limit)


def test_limits_of_lsst() -> None:
    limits = Saturation.lsst()
    sky = {"u": 23.052, "g": 22.254, "r": 21.198, "i": 20.463, "z": 19.606, "y": 18.602}
    zero = {"u": 26.52, "g": 28.51, "r": 28.36, "i": 28.17, "z": 27.78, "y": 26.82}
    seeing = {"u": 0.92, "g": 0.87, "r": 0.83, "i": 0.80, "z": 0.78, "y": 0.76}
    for band, at in seeing.items():
        # in electrons, with the sky, as rubin_sim's SaturationStacker counts them
        peak = 103_000.0 - 30.0 * 0.04 * 10.0 ** (0.4 * (zero[band] - sky[band]))
        rate = peak * 2.0 * np.pi * (at / 2.354 / 0.2) ** 2 / 30.0
        assert limits.magnitude[band] == pytest.approx(zero[band] - 2.5 * np.log10(rate), abs=0.03)
    # LSST Science Book: g 15.7, r 15.8, i 15.8, z 15.3, y 13.9 in 15 s
    short = [Saturation.lsst(n_exposures=2).magnitude[b] for b in "grizy"]
    np.testing.assert_allclose(short, [15.7, 15.8, 15.8, 15.3, 13.9], atol=0.4)
    assert limits.magnitude["V"] == limits.magnitude["g"]  # visits in g, observed as V
    fuller = Saturation.lsst(full_well=206_000.0)
    assert limits.magnitude["r"] - fuller.magnitude["r"] == pytest.approx(2.5 * np.log10(2.0))


def test_lsst_by_name(stars: lcgen.Stars) -> None:
    every = stars.observe("lsst-wfd", noise="depth", band="nearest", seed=3)
    lsst = stars.observe("lsst-wfd", noise="lsst", band="nearest", seed=3)
    assert lsst.meta["noise"] == "lsst"
    assert 0 < lsst.meta["n_saturated"] == every.mjd.size - lsst.mjd.size
    assert np.diff(lsst.offsets)[0] == 0
    assert np.array_equal(np.diff(lsst.offsets)[-12:], np.diff(every.offsets)[-12:])


def test_saturation_refuses_what_cannot_be() -> None:
    for bad in ({"magnitude": np.nan}, {"magnitude": {"r": np.nan}}, {"exposure_time": 0.0}, {"seeing": {"r": -1.0}}):
        with pytest.raises(InputError, match="saturation"):
            Saturation(**({"magnitude": 16.0} | bad))
    for n in (0, 1.5, True):
        with pytest.raises(InputError, match="n_exposures"):
            Saturation(magnitude=16.0, n_exposures=n)
    with pytest.raises(UnknownNameError, match=r"saturation limits 'i'.*allowed: r.*-inf"):
        Saturation(magnitude={"r": 16.0}).limits(_request([15.0, 15.0], ("r", "i")))


# ---------------------------------------------------------------------- detection
def test_forced_photometry_keeps_all(stars: lcgen.Stars) -> None:
    plain = stars.observe(_visits(), noise="depth")
    forced = stars.observe(_visits(), noise="depth", detection=Detection())
    _same_rows(forced, plain, np.ones(plain.mjd.size, dtype=bool))
    assert plain.detected is None
    assert np.array_equal(forced.detected, plain.flux >= 5.0 * plain.flux_err)
    assert 0.2 < forced.detected.mean() < 0.8
    assert not forced.detected[forced.flux < 0].any()
    assert forced.meta["detection"] == {"snr": 5.0, "photometry": "forced"}
    strict = stars.observe(_visits(), noise="depth", detection=Detection(snr=20.0))
    assert strict.detected.sum() < forced.detected.sum()
    assert not (strict.detected & ~forced.detected).any()


def test_detections_only(stars: lcgen.Stars) -> None:
    forced = stars.observe(_visits(), noise="depth", detection=Detection())
    only = stars.observe(_visits(), noise="depth", detection=Detection(photometry="detections"))
    _same_rows(only, forced, forced.detected)
    assert only.detected.all()
    assert np.diff(only.offsets)[-1] == 0
    assert len(only) == len(forced) == 24
    both = DepthNoise(saturation=Saturation(magnitude=16.0))
    cut = stars.observe(_visits(), noise=both, detection=Detection(photometry="detections"))
    assert cut.meta["n_saturated"] > 0
    _same_rows(cut, forced, forced.detected & (stars.observe(_visits()).mag >= 16.0))


def test_half_of_the_visits_at_the_depth_are_detections() -> None:
    n = 40_000
    normals = lcgen.rng.stream(3, "depth").standard_normal(n)
    request = dataclasses.replace(_request(np.full(n, 24.5)), normals=normals)
    share = Detection().detected(DepthNoise(systematic=0.0).measure(request)).mean()
    assert share == pytest.approx(0.5, abs=0.01)  # known to 0.0025


def test_models_that_measure_magnitudes() -> None:
    # S/N 5 is an error of 1 / (5 * 0.4 ln 10) = 0.217 mag
    measured = NoisyPhotometry(mag=np.full(3, 15.0), mag_err=np.array([0.1, 0.2171, 0.2172]))
    assert Detection().detected(measured).tolist() == [True, True, False]
    assert Detection(snr=10.0).detected(measured).tolist() == [True, False, False]


def test_survey_models_through_the_generator(shipped_generator: LightCurveGenerator) -> None:
    faint = shipped_generator.draw("RRLYR", 20, params={"mean_mag": 19.5}, seed=2)
    times = np.linspace(55000.0, 57000.0, 80)
    plain = faint.observe(times, noise="CSS", band="V")
    snr = 1.0 / (0.4 * np.log(10.0) * float(np.median(plain.mag_err)))
    limit = Detection(snr=snr)
    forced = faint.observe(times, noise="CSS", band="V", detection=limit)
    assert np.array_equal(forced.detected, plain.mag_err <= np.median(plain.mag_err))
    assert forced.detected.mean() == pytest.approx(0.5, abs=0.01)
    only = faint.observe(times, noise="CSS", band="V", detection=Detection(snr=snr, photometry="detections"))
    _same_rows(only, plain, forced.detected)


def test_detection_refuses_what_cannot_be(stars: lcgen.Stars) -> None:
    for bad in (0.0, -5.0, np.inf, np.nan, True, "5", None):
        with pytest.raises(InputError, match="snr must be a positive number"):
            Detection(snr=bad)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="allowed: forced, detections"):
        Detection(photometry="detected")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"must be a lcgen.observe.Detection.*5"):
        stars.observe(_visits(), noise="depth", detection=5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="needs a noise model"):
        stars.observe(_visits(), detection=Detection())


# ---------------------------------------------------------------------- containers
@pytest.fixture(scope="module")
def gaps(stars: lcgen.Stars) -> LightCurves:
    """Stars of which the faint ones have no observation."""
    return stars.observe(_visits(), noise="depth", detection=Detection(photometry="detections"))


def test_containers_take_stars_without_observations(gaps: LightCurves) -> None:
    counts = np.diff(gaps.offsets)
    assert (counts == 0).sum() > 3 < (counts > 0).sum()
    empty = gaps[-1]
    assert len(empty) == 0
    assert "no band" in repr(empty)
    assert empty.phase().size == empty.flux.size == empty.flux_err.size == 0
    assert len(empty.to_table()) == 0
    assert empty.to_table()["detected"].dtype == bool
    assert empty.band.dtype.kind == "U"
    some = gaps[[23, 0, 22]]
    assert np.diff(some.offsets).tolist() == [0, counts[0], 0]
    assert some.detected.tobytes() == gaps.detected[: counts[0]].tobytes()
    assert len(gaps[20:]) == 4
    assert gaps.phase().shape == gaps.mjd.shape
    joined = LightCurves.concatenate([gaps[20:], gaps[:2]])
    assert np.diff(joined.offsets).tolist() == [0, 0, 0, 0, *counts[:2]]
    assert joined.detected.size == joined.mjd.size
    with pytest.raises(InputError, match="detection limit was set for 1 of 2"):
        LightCurves.concatenate([gaps, dataclasses.replace(gaps, detected=None)])
    with pytest.raises(InputError, match="detected has shape"):
        dataclasses.replace(gaps, detected=np.ones(3, dtype=bool))


def test_slices_keep_what_is_detected(stars: lcgen.Stars) -> None:
    forced = stars.observe(_visits(), noise="depth", detection=Detection())
    at = slice(int(forced.offsets[12]), int(forced.offsets[13]))
    assert forced[12].detected.tolist() == forced.detected[at].tolist()
    assert forced[12].to_table()["detected"].tolist() == forced.detected[at].tolist()
    assert forced[[12]].detected.tolist() == forced.detected[at].tolist()
    assert "detected" not in stars.observe(_visits(), noise="depth")[12].to_table().colnames
    # one star, by the generator
    one = stars._source.sample(
        "CEP", {"mean_mag": 23.0}, _visits(), noise="depth", detection=Detection(photometry="detections"), seed=1
    )
    assert 0 < len(one) < N_VISITS
    assert one.detected.all()


# ---------------------------------------------------------------------- files
def test_empty_stars_through_a_file_and_back(gaps: LightCurves, tmp_path: Path) -> None:
    path = tmp_path / "gaps.h5"
    header = EnsembleHeader(generator="g", checkpoint_sha256="", seed=1, cadence="c", provenance={})
    with EnsembleWriter(path, header=header, n_stars=len(gaps)) as writer:
        writer.append(gaps[:10])
        writer.append(gaps[10:])
    with open_ensemble(path) as ensemble:
        again = ensemble[:]
        assert again.offsets.tolist() == gaps.offsets.tolist()
        assert again.detected.dtype == bool
        assert again.detected.tolist() == gaps.detected.tolist()
        np.testing.assert_allclose(again.flux, gaps.flux, rtol=1e-6)
        assert len(ensemble[-1]) == 0
        assert ensemble[3].detected.all()
        assert sum(len(block) for block in ensemble.iter_blocks(7)) == len(gaps)
    # all stars empty
    none = gaps[-3:]
    with EnsembleWriter(tmp_path / "none.h5", header=header, n_stars=3) as writer:
        writer.append(none)
    with open_ensemble(tmp_path / "none.h5") as ensemble:
        assert ensemble[:].offsets.tolist() == [0, 0, 0, 0]
        assert len(ensemble[1]) == 0
        assert ensemble[1].band.dtype.kind == "U"
    assert "observations  0" in lcgen.ensemble.summarise(tmp_path / "none.h5").to_text()


def test_blocks_of_a_file_have_the_same_columns(gaps: LightCurves, tmp_path: Path) -> None:
    header = EnsembleHeader(generator="g", checkpoint_sha256="", seed=1, cadence="c", provenance={})
    with EnsembleWriter(tmp_path / "a.h5", header=header, n_stars=24) as writer:
        writer.append(gaps[:4])
        with pytest.raises(InputError, match="lacks the column detected"):
            writer.append(dataclasses.replace(gaps[4:], detected=None))
        writer.append(gaps[4:])
    with EnsembleWriter(tmp_path / "b.h5", header=header, n_stars=24) as writer:
        writer.append(dataclasses.replace(gaps[:4], detected=None))
        with pytest.raises(InputError, match="has the column detected"):
            writer.append(gaps[4:])
        writer.append(dataclasses.replace(gaps[4:], detected=None))
    with open_ensemble(tmp_path / "b.h5") as ensemble:
        assert ensemble[:].detected is None


@pytest.mark.parametrize("photometry", ["forced", "detections"])
def test_ensembles_with_a_detection_limit(
    shipped_generator: LightCurveGenerator, tmp_path: Path, photometry: Any
) -> None:
    limit = Detection(snr=4.0, photometry=photometry)
    arguments: dict[str, Any] = {
        "classes": ["RRLYR", "CEP"],
        "n_per_class": 6,
        "cadence": _visits(),
        "seed": 3,
        "noise": "depth",
        "mean_mag": (19.0, 27.0),
        "progress": False,
    }
    path = tmp_path / "e.h5"
    generate_ensemble(shipped_generator, path, detection=limit, batch_size=5, **arguments)
    with open_ensemble(path) as ensemble:
        got = ensemble[:]
        assert ensemble.header.provenance["detection"] == {"snr": 4.0, "photometry": photometry}
    generate_ensemble(shipped_generator, tmp_path / "plain.h5", **arguments)
    with open_ensemble(tmp_path / "plain.h5") as ensemble:
        plain = ensemble[:]
        assert "detection" not in ensemble.header.provenance
        assert "detected" not in ensemble._h5["observations"]
    detected = plain.flux >= np.float32(4.0) * plain.flux_err
    assert 0 < detected.sum() < detected.size
    keep = detected if photometry == "detections" else np.ones(detected.size, dtype=bool)
    assert got.mag.tobytes() == plain.mag[keep].tobytes()
    assert np.array_equal(got.detected, detected[keep])
    # a run with another limit is another run
    with pytest.raises(lcgen.LcgenError, match="detection was"):
        generate_ensemble(shipped_generator, path, detection=Detection(), resume=True, **arguments)
    with pytest.raises(InputError, match="needs a noise model"):
        generate_ensemble(shipped_generator, path, detection=limit, **(arguments | {"noise": None}), overwrite=True)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{60000 + 0.37 * k:.2f},{'VI'[k % 2]},23.0\n" for k in range(40))
    Path("visits.csv").write_text("mjd,band,fiveSigmaDepth\n" + rows)
    sample = ["sample", "RRLYR", "--n", "3", "--param", "mean_mag=23", "--cadence", "visits.csv", "--noise", "depth"]

    def table(*more: str) -> list[list[str]]:
        assert main([*sample, *more]) == 0
        return [line.split(",") for line in capsys.readouterr().out.splitlines()]

    plain, forced, only = table(), table("--snr", "5"), table("--detections-only")
    assert plain[0] == forced[0][:-1]
    assert forced[0][-1] == only[0][-1] == "detected"
    assert [row[:-1] for row in forced] == plain
    assert only[1:] == [row for row in forced if row[-1] == "True"]
    assert 1 < len(only) < len(forced)
    assert len(table("--detections-only", "--snr", "1")) > len(only)
    for words in (["--snr", "5", "--noise", "none"], ["--snr", "0"]):
        assert main([*sample, *words]) != 0
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    ensemble = [
        "ensemble",
        "--cadence",
        "visits.csv",
        "--per-class",
        "2",
        "--classes",
        "CEP",
        "--mean-mag",
        "22",
        "24",
        "--output",
        "e.h5",
    ]
    assert main([*ensemble, "--noise", "depth", "--detections-only", "--quiet"]) == 0
    with open_ensemble("e.h5") as file:
        assert file[:].detected.all()
        assert file.header.provenance["detection"] == {"snr": 5.0, "photometry": "detections"}
