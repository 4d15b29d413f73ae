"""Exported ensembles are read back by the programs they are for, and hold what the ensemble holds."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lcgen.ensemble import Ensemble, EnsembleHeader, EnsembleWriter, open_ensemble
from lcgen.export import AtatExporter, PlasticcExporter, SnanaExporter, export_ensemble
from lcgen.export.atat import padded
from lcgen.lightcurve import LightCurves
from lcgen.taxonomy import CLASSES

LSST = ("u", "g", "r", "i", "z", "y")
TO_FLUXCAL = 10 ** (0.4 * (27.5 - 31.4))
HEADER = EnsembleHeader(
    generator="some-model", checkpoint_sha256="ab" * 32, seed=7, cadence="weekly", provenance={"noise": "depth"}
)


def sample(bands: tuple[str, ...] = LSST, *, detected: bool = True, seed: int = 3) -> LightCurves:
    """Thirty stars of all classes: observations out of order, fluxes below zero, one star with none, one with many."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(20, 60, 30)
    counts[4], counts[9] = 0, 900
    rows = int(counts.sum())
    flux = rng.lognormal(7.0, 1.0, rows).astype("f4") * rng.choice([1, -0.1], rows, p=[0.9, 0.1]).astype("f4")
    err = rng.uniform(20.0, 400.0, rows).astype("f4")
    mag = np.where(flux > 0, 31.4 - 2.5 * np.log10(np.maximum(flux, 1e-9)), np.nan)
    n = counts.size
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        mjd=rng.uniform(60000, 63650, rows),
        mag=mag,
        mag_err=np.where(flux > 0, 1.0857 * err / np.maximum(flux, 1e-9), np.nan),
        band_index=rng.integers(0, len(bands), rows).astype(np.uint8),
        band_names=bands,
        columns={
            "star_id": 10**12 + 3 * np.arange(n),
            "class": np.array([CLASSES[k % len(CLASSES)] for k in range(n)]),
            "subclass": np.array([("Mira" if k % len(CLASSES) == 5 and k < 10 else "") for k in range(n)]),
            "period": rng.uniform(0.2, 500, n),
            "fe_h": np.where(rng.random(n) < 0.5, rng.normal(-1, 0.3, n), np.nan),
            "t0": rng.uniform(60000, 60010, n),
            "e_bv": rng.uniform(0, 0.3, n),
            "ra": rng.uniform(0, 360, n),
            "dec": rng.uniform(-70, 10, n),
            "long_name": np.array([f"n\N{LATIN SMALL LETTER E WITH ACUTE} {k}" for k in range(n)]),
            "flag": rng.random(n) < 0.5,
        },
        measured_flux=flux,
        measured_flux_err=err,
        detected=flux > 5 * err if detected else None,
    )


def write(path: Path, curves: LightCurves, header: EnsembleHeader = HEADER) -> Path:
    with EnsembleWriter(path, header=header, n_stars=len(curves)) as writer:
        writer.append(curves)
    return path


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = write(tmp_path_factory.mktemp("ensemble") / "sample.h5", sample())
    with open_ensemble(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def stars(ensemble: Ensemble) -> list[Any]:
    """The light curves of the ensemble, each in the order of time."""
    return [ordered(star) for star in ensemble]


def ordered(star: Any) -> Any:
    order = np.argsort(star.mjd, kind="stable")
    names = ("mjd", "mag", "mag_err", "flux", "flux_err", "band", "detected")
    values = {n: getattr(star, n)[order] for n in names}
    values["star"] = star.star
    return type("Star", (), values)


# SNANA


@pytest.mark.parametrize("stars_per_file", [50_000, 11])
def test_sncosmo_reads_snana_files(ensemble: Ensemble, stars: list[Any], tmp_path: Path, stars_per_file: int) -> None:
    sncosmo = pytest.importorskip("sncosmo")
    exporter = SnanaExporter(stars_per_file=stars_per_file)
    export_ensemble(ensemble, exporter, tmp_path / "SIM", block_size=7)
    heads = (tmp_path / "SIM" / "SIM.LIST").read_text().split()
    assert len(heads) == -(-len(stars) // stars_per_file)
    tables: list[Any] = []
    for head in heads:
        phot = head.replace("_HEAD", "_PHOT")
        tables += sncosmo.read_snana_fits(str(tmp_path / "SIM" / head), str(tmp_path / "SIM" / phot))
    assert len(tables) == len(stars)
    for table, star in zip(tables, stars, strict=True):
        meta = table.meta
        assert int(meta["SNID"]) == star.star["star_id"]
        assert meta["NOBS"] == star.mjd.size == len(table)
        np.testing.assert_array_equal(table["MJD"], star.mjd)
        assert [str(b).replace("Y", "y") for b in table["BAND"]] == star.band.tolist()
        np.testing.assert_allclose(table["FLUXCAL"], star.flux * TO_FLUXCAL, rtol=2e-7)
        np.testing.assert_allclose(table["FLUXCALERR"], star.flux_err * TO_FLUXCAL, rtol=2e-7)
        np.testing.assert_array_equal(np.asarray(table["PHOTFLAG"]) >= 4096, star.detected)
        assert CLASSES[meta["SNTYPE"] - 1] == star.star["class"] == meta["SIM_TYPE_NAME"].decode()
        assert meta["SIM_PERIOD"] == star.star["period"]
        np.testing.assert_array_equal(meta["SIM_FE_H"], star.star["fe_h"])
        assert (meta["RA"], meta["DEC"]) == (star.star["ra"], star.star["dec"])
        assert meta["MWEBV"] == np.float32(star.star["e_bv"])
        if star.detected.any():
            first = star.mjd[star.detected][0]
            assert meta["PEAKMJD"] == first
            assert np.asarray(table["MJD"])[np.asarray(table["PHOTFLAG"]) == 6144].tolist() == [first]


def test_snana_files_are_fits(ensemble: Ensemble, tmp_path: Path) -> None:
    from astropy.io import fits

    export_ensemble(ensemble, "snana", tmp_path / "SIM", options={"survey": "TEST"})
    with fits.open(tmp_path / "SIM" / "SIM_HEAD.FITS") as head, fits.open(tmp_path / "SIM" / "SIM_PHOT.FITS") as phot:
        for file in (head, phot):
            file.verify("exception")
            assert file[0].header["SURVEY"] == "TEST"
            assert file[0].header["FILTERS"] == "ugrizY"
            assert file[0].header["LCGENSHA"] == "ab" * 32
            assert file[0].header["LCGENSED"] == 7
        # a row of -777 closes every light curve
        ends = np.asarray(head[1].data["PTROBS_MAX"])
        assert (phot[1].data["MJD"][ends] == -777.0).all()
        assert len(phot[1].data) == ensemble.n_observations + len(ensemble)


# PLAsTiCC


def test_plasticc_tables(ensemble: Ensemble, stars: list[Any], tmp_path: Path) -> None:
    from astropy.coordinates import SkyCoord

    pd = pytest.importorskip("pandas")
    options = {"targets": "CEP=201,LPV/SR=202"}
    export_ensemble(ensemble, "plasticc", tmp_path / "out", options=options, block_size=4)
    meta = pd.read_csv(tmp_path / "out" / "training_set_metadata.csv")
    observed = pd.read_csv(tmp_path / "out" / "training_set.csv")
    assert meta.columns.tolist()[:12] == [
        "object_id",
        "ra",
        "decl",
        "gal_l",
        "gal_b",
        "ddf",
        "hostgal_specz",
        "hostgal_photoz",
        "hostgal_photoz_err",
        "distmod",
        "mwebv",
        "target",
    ]
    assert observed.columns.tolist() == ["object_id", "mjd", "passband", "flux", "flux_err", "detected"]
    assert len(meta) == len(stars)
    groups = dict(tuple(observed.groupby("object_id")))
    for row, star in zip(meta.itertuples(), stars, strict=True):
        assert row.object_id == star.star["star_id"]
        known = {"RRLYR": 92, "ECL": 16, "CEP": 201}
        assert row.target == (53 if star.star["subclass"] == "Mira" else known.get(star.star["class"], 99))
        assert (row.ra, row.decl, row.mwebv) == (star.star["ra"], star.star["dec"], star.star["e_bv"])
        place: Any = SkyCoord(row.ra, row.decl, unit="deg").galactic
        np.testing.assert_allclose([row.gal_l, row.gal_b], [place.l.deg, place.b.deg], atol=1e-9)
        assert np.isnan(row.distmod)
        if not star.mjd.size:
            assert row.object_id not in groups
            continue
        table = groups[row.object_id]
        np.testing.assert_array_equal(table.mjd, star.mjd)
        assert ["ugrizy"[k] for k in table.passband] == star.band.tolist()
        np.testing.assert_allclose(table.flux, star.flux * TO_FLUXCAL, rtol=2e-7)
        np.testing.assert_allclose(table.flux_err, star.flux_err * TO_FLUXCAL, rtol=2e-7)
        np.testing.assert_array_equal(table.detected, star.detected)


def test_plasticc_of_the_release_with_the_truth(ensemble: Ensemble, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    export_ensemble(ensemble, PlasticcExporter(layout="unblinded", set="test"), tmp_path / "out")
    with (tmp_path / "out" / "test_set_metadata.csv").open() as file:
        assert next(csv.reader(file))[:4] == ["object_id", "ra", "decl", "ddf_bool"]
    with (tmp_path / "out" / "test_set.csv").open() as file:
        assert next(csv.reader(file))[-1] == "detected_bool"


def test_difference_fluxes_have_no_mean(ensemble: Ensemble, stars: list[Any], tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    export_ensemble(ensemble, "plasticc", tmp_path / "out", options={"difference": "yes"})
    table = pd.read_csv(tmp_path / "out" / "training_set.csv")
    mean = table.groupby(["object_id", "passband"]).flux.agg(["mean", "std", "size"])
    assert (mean["mean"].abs() < 1e-4 * mean["std"])[mean["size"] > 1].all()
    star = stars[0]
    own = table[table.object_id == star.star["star_id"]]
    for k, band in enumerate("ugrizy"):
        of_band = star.flux[star.band == band].astype(float) * TO_FLUXCAL
        np.testing.assert_allclose(own.flux[own.passband == k], of_band - of_band.mean(), rtol=1e-5, atol=1e-4)


# ATAT


def atat_by_hand(star: Any, length: int) -> dict[str, np.ndarray]:
    """The steps of ATAT's own preparation (github.com/alercebroker/ATAT, src/data/get_lc_md.py), one star at a time."""
    flag = np.where(star.detected, 4096, 0)
    if star.detected.any():
        flag[np.flatnonzero(star.detected)[0]] = 6144

    def by_band(values: np.ndarray) -> np.ndarray:
        columns = []
        for band in "ugrizy":
            own = values[star.band == band].astype(float)
            if own.size > length:
                own = own[np.linspace(0, own.size - 1, num=length).astype(int)]
            columns.append(np.pad(own, (0, length - own.size)))
        return np.stack(columns, axis=1)

    data, error, mjd = by_band(star.flux * TO_FLUXCAL), by_band(star.flux_err * TO_FLUXCAL), by_band(star.mjd)
    flags = by_band(flag)
    mask = (data != 0).astype(float)
    time = np.where(mjd != 0, mjd - mjd[mjd != 0].min(initial=np.inf), 0.0)
    out = {"data": data, "data-var": error, "mask": mask, "time": time, "mask_detection": (flags >= 4096) * 1.0}
    alert = np.zeros_like(mask)
    zero = 0.0
    if star.detected.any():
        found = star.mjd[star.detected]
        alert = mask * (mjd >= found[0] - 30.0) * (mjd <= found[-1])
        zero = found[0]
    out["mask_alert"] = alert
    out["time_alert"] = np.where(alert > 0, mjd - zero, 0.0)
    out["time_phot"] = np.where(alert > 0, mjd - mjd[alert > 0].min(initial=np.inf), 0.0)
    return out


@pytest.mark.parametrize("length", [65, 20])
def test_atat_arrays_are_those_of_its_preparation(
    ensemble: Ensemble, stars: list[Any], tmp_path: Path, length: int
) -> None:
    options = {"length": str(length), "features": "period,fe_h"}
    export_ensemble(ensemble, "atat", tmp_path / "dataset.h5", options=options, block_size=8)
    with h5py.File(tmp_path / "dataset.h5") as h5:
        found: dict[str, Any] = {k: d[()] for k, d in h5.items()}
        assert list(h5["labels"].attrs["classes"]) == list(CLASSES)
        assert json.loads(str(h5.attrs["lcgen"]))["checkpoint_sha256"] == "ab" * 32
    for k, star in enumerate(stars):
        for key, expected in atat_by_hand(star, length).items():
            assert found[key].shape == (len(stars), length, 6), key
            np.testing.assert_allclose(found[key][k], expected, rtol=3e-7, atol=2e-4, err_msg=f"{key} of star {k}")
        assert CLASSES[found["labels"][k]] == star.star["class"]
        assert found["SNID"][k] == star.star["star_id"]
        fe_h = star.star["fe_h"] if np.isfinite(star.star["fe_h"]) else -9999.0
        np.testing.assert_allclose(found["norm_feat_col"][k], [star.star["period"], fe_h], rtol=1e-6)
    assert max(np.bincount(np.unique(s.band, return_inverse=True)[1]).max() for s in stars if s.mjd.size) > 65


def test_atat_sets_divide_the_stars(ensemble: Ensemble, tmp_path: Path) -> None:
    sets = []
    for block_size in (3, 1000):
        export_ensemble(ensemble, AtatExporter(folds=4), tmp_path / f"{block_size}.h5", block_size=block_size)
        with h5py.File(tmp_path / f"{block_size}.h5") as h5:
            sets.append({k: np.asarray(h5[k]) for k in h5 if k == "test" or k[-2] == "_"})
    first, second = sets
    assert set(first) == {"test"} | {f"{kind}_{k}" for k in range(4) for kind in ("training", "validation")}
    everyone = np.arange(len(ensemble))
    for k in range(4):
        parts = np.concatenate([first[f"training_{k}"], first[f"validation_{k}"], first["test"]])
        np.testing.assert_array_equal(np.sort(parts), everyone)
    seen = np.concatenate([first["test"], *(first[f"validation_{k}"] for k in range(4))])
    np.testing.assert_array_equal(np.sort(seen), everyone)
    for key, rows in first.items():
        np.testing.assert_array_equal(rows, second[key])


def test_atat_without_a_detection_limit_takes_five_sigma() -> None:
    curves = sample(detected=False)
    arrays = padded(curves, np.arange(6), 65)
    first = curves[0]
    assert arrays["mask_detection"][0].sum() == np.count_nonzero(first.flux >= 5 * first.flux_err)


# nested Parquet and HATS


def test_nested_pandas_reads_nested_parquet(ensemble: Ensemble, tmp_path: Path) -> None:
    npd = pytest.importorskip("nested_pandas")
    export_ensemble(ensemble, "nested", tmp_path / "a.parquet", block_size=7)
    frame = npd.read_parquet(tmp_path / "a.parquet")
    assert frame.nested_columns == ["lightcurve"]
    check_nested(frame, ensemble)
    partly = npd.read_parquet(tmp_path / "a.parquet", columns=["star_id", "lightcurve.flux"])
    assert len(partly["lightcurve.flux"]) == ensemble.n_observations


def check_nested(frame: Any, ensemble: Ensemble) -> None:
    """A nested frame holds the stars and observations of an ensemble, in its order."""
    assert len(frame) == len(ensemble)
    for (_, row), star in zip(frame.iterrows(), ensemble, strict=True):
        for name, value in star.star.items():
            assert row[name] == value or (row[name] != row[name] and value != value), name
        curve = row["lightcurve"]
        assert (curve is None or len(curve) == 0) == (len(star) == 0)
        if len(star):
            for name in ("mjd", "mag", "mag_err", "flux", "flux_err", "band", "detected"):
                np.testing.assert_array_equal(np.asarray(curve[name]), getattr(star, name), err_msg=name)


@pytest.mark.parametrize(("max_rows", "max_order"), [(20_000, 10), (3, 10), (1, 2)])
def test_hats_layout(ensemble: Ensemble, tmp_path: Path, max_rows: int, max_order: int) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    healpix = pytest.importorskip("astropy_healpix").HEALPix
    from astropy import units as u

    options = {"max_rows": max_rows, "max_order": max_order}
    export_ensemble(ensemble, "hats", tmp_path / "cat", options=options, block_size=7)
    lines = (tmp_path / "cat" / "partition_info.csv").read_text().split()
    pixels = [tuple(map(int, line.split(","))) for line in lines[1:]]
    ids: list[int] = []
    for order, pixel in pixels:
        path = tmp_path / "cat" / "dataset" / f"Norder={order}" / "Dir=0" / f"Npix={pixel}.parquet"
        table = pq.read_table(path, partitioning=None)
        assert len(table) >= 1 and (len(table) <= max_rows or order == max_order)
        index = table["_healpix_29"].to_numpy()
        assert (np.diff(index) >= 0).all()
        assert (index >> (2 * (29 - order)) == pixel).all()
        place: Any = healpix(nside=2**order, order="nested")
        ra, dec = (table[k].to_numpy() * u.deg for k in ("ra", "dec"))
        assert (place.lonlat_to_healpix(ra, dec) == pixel).all()
        ids += table["star_id"].to_pylist()
    np.testing.assert_array_equal(np.sort(ids), ensemble.columns(["star_id"])["star_id"])
    whole = pq.read_metadata(tmp_path / "cat" / "dataset" / "_metadata")
    assert whole.num_rows == len(ensemble)
    assert not list((tmp_path / "cat").glob("*.arrow"))


# ASTROMER


@pytest.mark.parametrize("shard_size", [20_000, 8])
def test_astromer_shards(ensemble: Ensemble, stars: list[Any], tmp_path: Path, shard_size: int) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    export_ensemble(
        ensemble, "astromer", tmp_path / "out", options={"band": "r", "shard_size": shard_size}, block_size=5
    )
    meta = pd.read_parquet(tmp_path / "out" / "metadata.parquet")
    config = tomllib.loads((tmp_path / "out" / "config.toml").read_text())
    columns = config["sequential_features"]["value"]
    assert meta[config["id_column"]["value"]].dtype == int
    for row, star in zip(meta.itertuples(), stars, strict=True):
        shard = pd.read_parquet(tmp_path / "out" / "light_curves" / f"shard_{row.shard:03d}.parquet")
        own = shard[shard.newID == row.newID][columns]
        keep = (star.band == "r") & np.isfinite(star.mag)
        assert row.n_obs == len(own) == keep.sum()
        for name, values in zip(columns, (star.mjd, star.mag, star.mag_err), strict=True):
            np.testing.assert_array_equal(own[name], values[keep])
        assert (row.ID, CLASSES[row.Label], row.Class) == (
            str(star.star["star_id"]),
            star.star["class"],
            star.star["class"],
        )
    assert meta["shard"].nunique() == -(-len(stars) // shard_size)


# astropy


@pytest.mark.parametrize("kind", ["ecsv", "fits"])
def test_tables_a_star(ensemble: Ensemble, tmp_path: Path, kind: str) -> None:
    from astropy.table import Table

    options = {"kind": kind, "per_folder": 12}
    export_ensemble(ensemble, "tables", tmp_path / "out", options=options, block_size=7)
    index: Any = Table.read(tmp_path / "out" / "stars.ecsv")
    assert index.meta["lcgen"]["seed"] == 7
    assert len(index) == len(ensemble)
    assert str(index["period"].unit) == "d"
    for row, star in zip(index, ensemble, strict=True):
        assert (row["star_id"], row["n_obs"], row["period"]) == (star.star["star_id"], len(star), star.star["period"])
        assert row["long_name"] == star.star["long_name"]
        table: Any = Table.read(tmp_path / "out" / row["file"])
        assert str(table["flux"].unit) == "nJy"
        for name in ("mjd", "mag", "mag_err", "flux", "flux_err", "detected"):
            column = table[name]  # masked where there is a NaN
            found = np.asarray(column.filled(np.nan) if hasattr(column, "filled") else column)
            np.testing.assert_array_equal(found, getattr(star, name), err_msg=name)
        assert [str(b) for b in table["band"]] == star.band.tolist()


def test_one_fits_file(ensemble: Ensemble, tmp_path: Path) -> None:
    from astropy.io import fits
    from astropy.table import Table

    export_ensemble(ensemble, "fits", tmp_path / "a.fits", block_size=7)
    with fits.open(tmp_path / "a.fits") as file:
        file.verify("exception")
        assert file[0].header["LCGENMOD"] == "some-model"
    table: Any = Table.read(tmp_path / "a.fits", hdu="STARS")
    observations: Any = Table.read(tmp_path / "a.fits", hdu="OBSERVATIONS")
    assert str(observations["flux"].unit) == "nJy"
    for row, star in zip(table, ensemble, strict=True):
        assert (row["star_id"], row["class"].strip()) == (star.star["star_id"], star.star["class"])
        own = observations[row["first"] : row["first"] + row["n_obs"]]
        for name in ("mjd", "flux", "flux_err"):
            np.testing.assert_array_equal(np.asarray(own[name]), getattr(star, name))
        assert [str(b).strip() for b in own["band"]] == star.band.tolist()
