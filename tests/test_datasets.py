"""Light curves as flat arrays: what is taken of them, transforms, and what others read."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lcgen
from lcgen.datasets import (
    Compose,
    Delta,
    EnsembleDataset,
    Normalise,
    Ragged,
    Rescale,
    Selection,
    ragged,
    split_stars,
)
from lcgen.ensemble import EnsembleHeader, EnsembleWriter, open_ensemble
from lcgen.errors import EnsembleError, IncompleteEnsembleError, InputError, LcgenError, UnknownNameError
from lcgen.lightcurve import LightCurve, LightCurves

HEADER = EnsembleHeader(generator="real stars", seed=0, cadence="as observed")


def write(path: Path, curves: LightCurves, **options) -> Path:
    with EnsembleWriter(path, header=HEADER, n_stars=len(curves), **options) as writer:
        writer.append(curves)
    return path


@pytest.fixture(scope="module")
def real(css_sample: LightCurves, ogle_sample: LightCurves) -> LightCurves:
    """Real stars of every class, in V and I, in the types of a file, with measured fluxes that are not all positive."""
    both = LightCurves.concatenate([css_sample, ogle_sample])
    rng = np.random.default_rng(3)
    flux = (both.flux * rng.normal(1.0, 0.6, both.mjd.size)).astype("f4")
    mag = np.where(flux > 0, both.mag, np.nan).astype("f4")
    columns = {name: both.columns[name] for name in ("class", "subclass", "period")}
    return dataclasses.replace(
        both,
        mag=mag,
        mag_err=both.mag_err.astype("f4"),
        measured_flux=flux,
        measured_flux_err=(0.6 * both.flux).astype("f4"),
        columns={"star_id": 1000 + 3 * np.arange(len(both)), **columns},
    )


@pytest.fixture(scope="module")
def file(real: LightCurves, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sets") / "real.h5", real, observation_chunk=4096, star_chunk=64)


def assert_equal(found: Ragged, expected: Ragged) -> None:
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    np.testing.assert_array_equal(found.mjd, expected.mjd)
    np.testing.assert_array_equal(
        np.asarray(found.band_names)[found.band], np.asarray(expected.band_names)[expected.band]
    )
    np.testing.assert_array_equal(found.star_id, expected.star_id)
    np.testing.assert_array_equal(found.label, expected.label)
    assert list(found.values) == list(expected.values)
    for name in expected.values:
        np.testing.assert_array_equal(found.values[name], expected.values[name], err_msg=name)
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns:
        np.testing.assert_array_equal(found.columns[name], expected.columns[name], err_msg=name)


def in_order(star: LightCurve) -> np.ndarray:
    return np.argsort(star.mjd, kind="stable")


def test_a_selection_takes_what_it_says(real: LightCurves) -> None:
    """Star by star, against the light curve itself."""
    select = Selection(features=("time", "mag", "phase", "flux"), columns=("period",), bands=("I", "V"))
    view = ragged(real, select)
    dropped = 0
    for i in [*range(0, len(real), 17), len(real) - 1]:
        star = real[i]
        rows = in_order(star)
        rows = rows[np.isfinite(star.mag[rows])]
        dropped += len(star) - rows.size
        own = slice(view.offsets[i], view.offsets[i + 1])
        np.testing.assert_array_equal(view.mjd[own], star.mjd[rows])
        np.testing.assert_array_equal(view.values["mag"][own], star.mag[rows])
        np.testing.assert_array_equal(view.values["flux"][own], star.flux[rows])
        np.testing.assert_allclose(view.values["phase"][own], star.phase()[rows], atol=1e-12)
        np.testing.assert_allclose(view.values["time"][own], star.mjd[rows] - star.mjd[rows].min(), rtol=1e-6)
        assert [("I", "V")[k] for k in view.band[own]] == star.band[rows].tolist()
        assert lcgen.CLASSES[view.label[i]] == star.star["class"]  # type: ignore[index]
        assert view.columns["period"][i] == star.star["period"]
    assert dropped > 0
    assert list(view.values) == ["time", "mag", "phase", "flux"]


def test_time_since_the_first_observation_is_good_to_seconds(real: LightCurves) -> None:
    view = ragged(real)
    since = view.mjd - np.repeat(view.mjd[view.offsets[:-1]], view.lengths)
    assert np.abs(view.values["time"] - since).max() < 30 / 86400
    assert np.abs(view.mjd.astype("f4") - view.mjd).max() > 100 / 86400  # what a float32 MJD would lose


def test_bands_are_chosen_and_numbered(real: LightCurves) -> None:
    view = ragged(real, Selection(bands=("r", "I"), features=("flux",)))
    wanted = real.band == "I"
    assert view.mjd.size == wanted.sum() < real.mjd.size
    assert set(view.band) == {1}
    np.testing.assert_array_equal(np.sort(view.values["flux"]), np.sort(real.flux[wanted]))


def test_what_is_not_finite_is_dropped_kept_or_refused(real: LightCurves) -> None:
    missing = np.isnan(real.mag).sum()
    assert missing > 100
    sizes = {how: ragged(real, Selection(features=("mag",), invalid=how)).mjd.size for how in ("drop", "keep")}
    assert sizes == {"drop": real.mjd.size - missing, "keep": real.mjd.size}
    with pytest.raises(InputError, match=f"{missing} observations are not finite.*star_id"):
        ragged(real, Selection(features=("mag",), invalid="raise"))
    assert ragged(real, Selection(features=("flux",), invalid="raise")).mjd.size == real.mjd.size


def test_labels_of_ones_own(real: LightCurves) -> None:
    few = real.take(np.flatnonzero(np.isin(real.columns["class"], ["CEP", "RRLYR"])))
    view = ragged(few, Selection(classes=("RRLYR", "CEP")))
    np.testing.assert_array_equal(np.array(["RRLYR", "CEP"])[view.label], few.columns["class"])
    with pytest.raises(UnknownNameError, match="ACEP"):
        ragged(real, Selection(classes=("RRLYR", "CEP")))
    assert ragged(real, Selection(label=None)).label is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": ("magnitude",)}, "unknown feature 'magnitude'"),
        ({"features": ()}, "at least one feature"),
        ({"features": "mag"}, "must be a sequence"),
        ({"features": ("mag", "mag")}, "repeat"),
        ({"bands": ("k",)}, "unknown band 'k'"),
        ({"invalid": "ignore"}, "unknown value of invalid"),
        ({"label": "subclass"}, "give classes"),
    ],
)
def test_wrong_selections_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(LcgenError, match=message):
        Selection(**arguments)


def test_columns_that_are_not_there_are_refused(real: LightCurves, file: Path) -> None:
    for make in (lambda s: ragged(real, s), lambda s: EnsembleDataset(file, select=s)):
        with pytest.raises(UnknownNameError, match="'teff'"):
            make(Selection(columns=("teff",)))
        with pytest.raises(InputError, match="detected"):
            make(Selection(features=("detected",)))
    with pytest.raises(InputError, match="not of numbers"):
        ragged(real, Selection(columns=("subclass",)))


# Random access to a file

SELECTIONS = [
    Selection(),
    Selection(features=("mag", "mag_err", "phase"), columns=("period",), bands=("V",)),
    Selection(features=("mjd", "flux"), label=None),
    Selection(features=("mag", "mag_err"), transform=Delta(error="mag_err")),
]


@pytest.mark.parametrize("select", SELECTIONS, ids=["default", "one band", "no label", "differences"])
@pytest.mark.parametrize("preload", [False, True])
def test_file_and_memory_take_one_path(real: LightCurves, file: Path, select: Selection, preload: bool) -> None:
    data = EnsembleDataset(file, select=select, preload=preload)
    expected = ragged(real, select)
    assert_equal(data.ragged(), expected)
    order = np.random.default_rng(1).integers(0, len(real), 50)  # some twice
    assert_equal(data.ragged(order), expected.take(order))


def test_samples(real: LightCurves, file: Path) -> None:
    data = EnsembleDataset(file, select=Selection(features=("time", "flux"), columns=("period",)))
    assert len(data) == len(real)
    for i in (0, 33, -1):
        star, sample = real[i], data[i]
        rows = in_order(star)
        np.testing.assert_array_equal(sample["x"][:, 1], star.flux[rows])
        np.testing.assert_array_equal(sample["mjd"], star.mjd[rows])
        assert [data.band_names[k] for k in sample["band"]] == star.band[rows].tolist()
        assert data.label_names[sample["label"]] == star.star["class"]
        assert sample["star_id"] == star.star["star_id"]
        assert sample["columns"].tolist() == [star.star["period"]]
        assert (sample["x"].dtype, sample["band"].dtype) == (np.float32, np.int64)
    assert [s["star_id"] for s in data[5:20:5]] == data.star_id[5:20:5].tolist()
    assert [s["star_id"] for s in data.__getitems__([9, 2, 9])] == data.star_id[[9, 2, 9]].tolist()
    np.testing.assert_array_equal(np.asarray(data.label_names)[data.labels], real.columns["class"])
    np.testing.assert_array_equal(data.stored_lengths, np.diff(real.offsets))
    with pytest.raises(IndexError):
        data[len(real)]
    with pytest.raises(InputError, match="whole number"):
        data["0"]  # type: ignore[call-overload]


def test_some_stars_of_a_file(real: LightCurves, file: Path) -> None:
    stars = np.array([40, 3, 200])
    data = EnsembleDataset(file, stars=stars, preload=True)
    assert [s["star_id"] for s in data[:]] == real.columns["star_id"][stars].tolist()
    assert data.labels.size == len(data) == 3
    assert len(EnsembleDataset(file, stars=[])) == 0
    for wrong in ([0.5], [-1], [10**6], [[1]]):
        with pytest.raises(InputError, match="stars must"):
            EnsembleDataset(file, stars=wrong)


def test_every_process_opens_the_file_for_itself(file: Path) -> None:
    data = EnsembleDataset(file)
    expected = [s["x"].sum() for s in data[:20]]  # the file is open now
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301 - what a loader does with it
    assert [s["x"].sum() for s in copy[:20]] == expected
    if not hasattr(os, "fork"):
        return
    code = (
        "import os, sys; from lcgen.datasets import EnsembleDataset\n"
        f"d = EnsembleDataset({str(file)!r}); d[0]\n"
        "pids = []\n"
        "for _ in range(3):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os._exit(0 if all(abs(d[i]['x']).sum() > 0 for i in range(60)) else 1)\n"
        "    pids.append(pid)\n"
        "ok = all(abs(d[i]['x']).sum() > 0 for i in range(60))\n"
        "sys.exit(not (ok and all(os.waitpid(p, 0)[1] == 0 for p in pids)))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_torch_is_needed_for_reading(file: Path) -> None:
    code = (
        "import sys, lcgen.ensemble, lcgen.datasets as d\n"
        f"x = d.EnsembleDataset({str(file)!r}).ragged().triples('mjd', 'flux', 'flux_err')\n"
        "print('torch' in sys.modules, len(x) > 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() == [
        "False",
        "True",
    ]


def test_files_that_cannot_be_trusted_are_refused(real: LightCurves, file: Path, tmp_path: Path) -> None:
    with pytest.raises(EnsembleError, match="no such file"):
        EnsembleDataset(tmp_path / "none.h5")
    writer = EnsembleWriter(tmp_path / "part.h5", header=HEADER, n_stars=len(real), commit_rows=1)
    writer.append(real[:200])
    with pytest.raises(EnsembleError):
        writer.close()
    with pytest.raises(IncompleteEnsembleError):
        EnsembleDataset(tmp_path / "part.h5")
    # a flipped byte in the stored fluxes
    broken = tmp_path / "broken.h5"
    broken.write_bytes(file.read_bytes())
    with h5py.File(broken, "r") as h5:
        where = h5["observations/flux"].id.get_chunk_info(1).byte_offset + 100
    with broken.open("rb+") as stream:
        stream.seek(where)
        byte = stream.read(1)
        stream.seek(where)
        stream.write(bytes([byte[0] ^ 0xFF]))
    with pytest.raises(EnsembleError, match=r"observations/flux.*damaged"):
        EnsembleDataset(broken).ragged()


def test_an_ensemble_without_stars_is_an_empty_dataset(tmp_path: Path) -> None:
    with EnsembleWriter(tmp_path / "e.h5", header=HEADER, n_stars=0):
        pass
    data = EnsembleDataset(tmp_path / "e.h5", select=Selection(columns=("period",)))
    assert (len(data), data[:], data.labels.size, data.star_id.size) == (0, [], 0, 0)


def test_split_by_star() -> None:
    ids = np.random.default_rng(2).permutation(200_000)[:50_000]
    parts = split_stars(ids, {"train": 0.7, "validation": 0.1, "test": 0.2}, seed=4)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(ids.size))
    # binomial: five standard deviations
    for name, share in {"train": 0.7, "validation": 0.1, "test": 0.2}.items():
        assert abs(parts[name].size - share * ids.size) < 5 * np.sqrt(share * (1 - share) * ids.size)
    grown = split_stars(np.sort(ids)[:1000], {"train": 0.7, "validation": 0.1, "test": 0.2}, seed=4)
    assert set(np.sort(ids)[:1000][grown["test"]]) <= set(ids[parts["test"]])
    other = split_stars(ids, {"train": 0.7, "validation": 0.1, "test": 0.2}, seed=5)
    assert abs(np.isin(other["test"], parts["test"]).mean() - 0.2) < 0.02
    for wrong in ({}, {"a": 0.5}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(InputError, match="sum to 1"):
            split_stars(ids, wrong)


# Transforms


def pairs_of(star: LightCurve, reference: str, by_band: bool) -> list[tuple[float, float, float, float]]:
    """(time, dt, dm, error) of a star, the slow and plain way."""
    out, before = [], {}
    for k in in_order(star):
        if not np.isfinite(star.mag[k]):
            continue
        key = star.band[k] if by_band else ""
        if key in before:
            j = before[key]
            error = float(np.sqrt(np.float64(star.mag_err[k]) ** 2 + np.float64(star.mag_err[j]) ** 2))
            out.append((star.mjd[k], star.mjd[k] - star.mjd[j], float(star.mag[k]) - float(star.mag[j]), error))
        if reference == "previous" or key not in before:
            before[key] = k
    return out


@pytest.fixture(scope="module")
def two_bands(real: LightCurves, shuffled: Callable[[LightCurves], LightCurves]) -> LightCurves:
    """Stars with both bands in one light curve, shuffled in time."""
    cepheids = real.take(np.flatnonzero(real.columns["class"] == "CEP"))
    n = len(cepheids) // 2
    merged = []
    for i in range(n):
        pair = cepheids.take([i, i + n])
        merged.append(
            dataclasses.replace(
                pair,
                offsets=pair.offsets[[0, 2]],
                columns={k: v[:1] for k, v in pair.columns.items()},
            )
        )
    return shuffled(LightCurves.concatenate(merged))


@pytest.fixture(scope="module")
def shuffled() -> Callable[[LightCurves], LightCurves]:
    """A function that puts the observations of each star into another order."""

    def shuffle(curves: LightCurves) -> LightCurves:
        rows = np.lexsort((np.random.default_rng(8).random(curves.mjd.size), curves.star_index))
        return curves._with_rows(rows, curves.offsets, curves.columns)

    return shuffle


@pytest.mark.parametrize("reference", ["previous", "first"])
@pytest.mark.parametrize("by_band", [True, False])
def test_pairs_against_a_loop(two_bands: LightCurves, reference: str, by_band: bool) -> None:
    transform = Delta(error="mag_err", reference=reference, by_band=by_band)  # type: ignore[arg-type]
    view = ragged(two_bands, Selection(features=("mag", "mag_err"), transform=transform))
    for i in range(0, len(two_bands), 7):
        own = slice(view.offsets[i], view.offsets[i + 1])
        expected = np.array(pairs_of(two_bands[i], reference, by_band))
        assert expected.shape[0] > 100
        np.testing.assert_array_equal(view.mjd[own], expected[:, 0])
        for k, name in enumerate(("dt", "dm", "dm_err"), start=1):
            np.testing.assert_allclose(view.values[name][own], expected[:, k], rtol=2e-7, atol=1e-7)
    assert np.all(view.values["dt"] >= 0)


def test_pairs_do_not_depend_on_the_order_of_observations(
    real: LightCurves, shuffled: Callable[[LightCurves], LightCurves]
) -> None:
    """Shuffled and ordered light curves are the same pairs: order alone must not tell real from synthetic."""
    select = Selection(features=("mag",), transform=Delta())
    few = real[:60]
    assert not np.array_equal(shuffled(few).mjd, few.mjd)
    assert_equal(ragged(shuffled(few), select), ragged(few, select))


@pytest.mark.parametrize("centre", ["median", "mean", "min", "none"])
@pytest.mark.parametrize("scale", ["std", "mad", "range", "none"])
def test_normalisation_against_numpy_and_back(real: LightCurves, centre: str, scale: str) -> None:
    transform = Normalise(value="flux", errors=("flux_err",), centre=centre, scale=scale)  # type: ignore[arg-type]
    plain = ragged(real, Selection(features=("flux", "flux_err")))
    view = transform(plain)
    functions = {
        "median": np.median,
        "mean": np.mean,
        "min": np.min,
        "std": np.std,
        "mad": lambda v: np.median(np.abs(v - np.median(v))),
        "range": np.ptp,
    }
    for i in range(0, len(real), 23):
        values = plain.values["flux"][plain.offsets[i] : plain.offsets[i + 1]].astype(float)
        wanted = functions[centre](values) if centre in functions else 0.0
        np.testing.assert_allclose(view.columns["flux_centre"][i], wanted, rtol=1e-9)
        wanted = functions[scale](values) if scale in functions else 1.0
        np.testing.assert_allclose(view.columns["flux_scale"][i], wanted, rtol=1e-9)
    star = plain.star_index
    back = view.values["flux"] * view.columns["flux_scale"][star] + view.columns["flux_centre"][star]
    np.testing.assert_allclose(back, plain.values["flux"], rtol=1e-5, atol=1e-6 * np.abs(plain.values["flux"]).max())
    errors = view.values["flux_err"] * view.columns["flux_scale"][star]
    np.testing.assert_allclose(errors, plain.values["flux_err"], rtol=1e-6)


def test_constant_and_empty_light_curves_are_normalised() -> None:
    curves = LightCurves(
        offsets=np.array([0, 0, 3, 3]),
        mjd=np.arange(3.0),
        mag=np.full(3, 17.1),
        mag_err=np.full(3, 0.1),
        band_index=np.zeros(3, np.uint8),
        band_names=("V",),
        columns={"class": np.array(["CEP"] * 3)},
    )
    for scale in ("std", "mad", "range"):
        view = ragged(curves, Selection(features=("mag",), transform=Normalise(scale=scale, centre="mean")))  # type: ignore[arg-type]
        np.testing.assert_allclose(view.values["mag"], 0.0, atol=1e-12)
        assert view.columns["mag_scale"].tolist() == [1.0, 1.0, 1.0]
    assert ragged(curves, Selection(features=("mag",), transform=Delta())).lengths.tolist() == [0, 2, 0]


def test_the_scaling_of_pels_vae(real: LightCurves) -> None:
    """Its ``normalize_each``: magnitudes and errors divided by the range, brightest at 0."""
    select = Selection(
        features=("time", "mag", "mag_err"), transform=Normalise(errors=("mag_err",), centre="min", scale="range")
    )
    view = ragged(real, select)
    for i in range(0, len(real), 40):
        star = real[i]
        good = np.isfinite(star.mag)
        order = np.argsort(star.mjd[good], kind="stable")
        mag, err = star.mag[good][order].astype(float), star.mag_err[good][order].astype(float)
        own = slice(view.offsets[i], view.offsets[i + 1])
        np.testing.assert_allclose(view.values["mag"][own], (mag - mag.min()) / (mag.max() - mag.min()), atol=1e-6)
        np.testing.assert_allclose(view.values["mag_err"][own], err / (mag.max() - mag.min()), rtol=1e-6)


def test_rescaling_and_composing(real: LightCurves) -> None:
    steps = (Rescale(constants={"flux": (1e3, 2e4)}, asinh=True), Rescale(constants={"time": (0.0, 365.25)}))
    view = ragged(real, Selection(features=("time", "flux"), transform=Compose(steps)))
    plain = ragged(real, Selection(features=("time", "flux")))
    np.testing.assert_allclose(np.sinh(view.values["flux"].astype(float)) * 2e4 + 1e3, plain.values["flux"], rtol=1e-3)
    np.testing.assert_allclose(view.values["time"] * 365.25, plain.values["time"], rtol=1e-6)
    with pytest.raises(UnknownNameError, match="'dm'"):
        ragged(real, Selection(transform=Rescale(constants={"dm": (0.0, 1.0)})))
    for wrong in ((0.0, 0.0), (np.nan, 1.0), (1.0,)):
        with pytest.raises(InputError, match="positive scale"):
            Rescale(constants={"flux": wrong})  # type: ignore[dict-item]
    with pytest.raises(UnknownNameError):
        Normalise(centre="mode")  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(0, 6), min_size=1, max_size=8), seed=st.integers(0, 1000), data=st.data())
def test_taking_stars_and_rows(counts: list[int], seed: int, data: st.DataObject) -> None:
    rng, n = np.random.default_rng(seed), len(counts)
    rows = sum(counts)
    view = Ragged(
        values={"mag": rng.random(rows)},
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        mjd=rng.integers(0, 4, rows).astype(float),
        band=rng.integers(0, 2, rows).astype(np.uint8),
        band_names=("g", "r"),
        star_id=np.arange(n),
        columns={"period": rng.random(n)},
    )
    ordered = view.in_order()
    for a, b in zip(view.offsets[:-1], view.offsets[1:], strict=True):
        order = np.argsort(view.mjd[a:b], kind="stable")
        np.testing.assert_array_equal(ordered.values["mag"][a:b], view.values["mag"][a:b][order])
    stars = data.draw(st.lists(st.integers(0, n - 1), max_size=6))
    taken = view.take(stars)
    whole = Ragged.concatenate([view.take([i]) for i in stars]) if stars else view.take([])
    assert_equal(taken, whole)
    assert taken.star_id.tolist() == stars
    keep = rng.random(rows) < 0.5
    kept = view.where(keep)
    np.testing.assert_array_equal(kept.values["mag"], view.values["mag"][keep])
    np.testing.assert_array_equal(kept.lengths, np.bincount(view.star_index[keep], minlength=n))


# What others read


def test_the_package_light_curve_reads_both_views(real: LightCurves) -> None:
    light_curve = pytest.importorskip("light_curve", reason="the package light-curve is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    few = real.take(np.arange(0, len(real), 9))
    view = ragged(few, Selection(features=("mag", "mag_err")))
    extractor = light_curve.Extractor(
        light_curve.Amplitude(), light_curve.LinearFit(), light_curve.StetsonK(), light_curve.WeightedMean()
    )
    one_by_one = []
    for star in few:
        rows = in_order(star)
        rows = rows[np.isfinite(star.mag[rows])]
        arrays = (np.ascontiguousarray(v[rows], dtype=float) for v in (star.mjd, star.mag, star.mag_err))
        one_by_one.append(extractor(*arrays, sorted=True))  # real stars have equal times, which it else refuses
    np.testing.assert_array_equal(extractor.many(view.triples(), sorted=True, n_jobs=1), one_by_one)
    fields = {"t": "mjd", "m": "mag", "sigma": "mag_err"}
    arrow = view.to_arrow(tuple(fields.values()), dtype=float)
    np.testing.assert_array_equal(extractor.many(arrow, arrow_fields=fields, sorted=True, n_jobs=1), one_by_one)


def test_arrow_shares_the_memory(real: LightCurves) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    view = ragged(real, Selection(features=("flux", "flux_err")))
    arrow = view.to_arrow()
    assert [f.name for f in arrow.type.value_type] == ["mjd", "flux", "flux_err"]
    for name, array in {"mjd": view.mjd, **view.values}.items():
        buffer = arrow.values.field(name).buffers()[1]
        assert buffer.address == array.ctypes.data, name
    assert arrow.offsets.buffers()[1].address == view.offsets.ctypes.data
    assert arrow[7].as_py()[0]["flux"] == pytest.approx(float(view.values["flux"][view.offsets[7]]))
    assert len(arrow) == len(view)


def test_triples_of_one_band(real: LightCurves, two_bands: LightCurves) -> None:
    view = ragged(two_bands, Selection(features=("flux", "flux_err")))
    triples = view.triples("mjd", "flux", "flux_err", band="I")
    star = two_bands[4]
    t, m, sigma = triples[4]
    assert t.size == m.size == sigma.size == (star.band == "I").sum() < len(star)
    assert np.all(np.diff(t) >= 0)
    assert t.dtype == m.dtype == np.float64
    # what has the type already is not copied
    times = ragged(two_bands, Selection(features=("time", "flux", "flux_err")))
    for array, name in zip(times.triples("time", "flux", "flux_err", dtype="f4")[2], times.values, strict=True):
        assert np.shares_memory(array, times.values[name]), name
    with pytest.raises(UnknownNameError, match="unknown band 'g'"):
        view.triples("mjd", "flux", "flux_err", band="g")
    with pytest.raises(UnknownNameError, match="unknown value 'mag'"):
        view.triples()


def test_the_reader_and_the_dataset_agree(file: Path) -> None:
    data = EnsembleDataset(file)
    with open_ensemble(file) as ensemble:
        assert data.band_names == ensemble.band_names
        assert_equal(data.ragged(np.arange(30)), ragged(ensemble[:30]))
