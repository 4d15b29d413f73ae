"""Light curves reconstructed from tables of Fourier terms."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lcgen import ConfigError, InputError, LightCurves, UnknownNameError
from lcgen.catalog import StarTable, read_fourier_table, read_ogle_cepf, read_pack
from lcgen.lightcurve import phase_of
from lcgen.prepare.align import alignment_shift, rotate_coefficients
from lcgen.prepare.dataset import AMPLITUDE_IN_V, PreparedCurves, prepare
from lcgen.prepare.fourier import fit_fourier, fourier_series
from lcgen.prepare.reconstruct import FE_H_SCATTER, FourierLimits, reconstruct, scatter_metallicity
from lcgen.prepare.same_star import match_stars, rename_matched

ORDER = (1, 2, 3)
GOOD: dict[str, float] = {
    **{"period": 0.55, "amplitude": 0.9, "mean_mag": 15.0, "cost": 0.02, "phcov": 0.97, "snr": 300.0, "Npt": 150.0},
    **{"order": 8.0, "A1": 0.32, "A2": 0.16, "A3": 0.1, "phi1": 0.1, "phi2": 2.6, "phi3": -0.8},
}


def _table(*changes: dict[str, float]) -> dict[str, NDArray[Any]]:
    rows = [GOOD | change for change in changes]
    return {"id": np.array([f"star {i}" for i in range(len(rows))])} | {
        name: np.array([row[name] for row in rows]) for name in GOOD
    }


def _reconstruct(table: Any, band: str = "V", **options: Any) -> PreparedCurves:
    return reconstruct(table, survey="OGLE", band=band, cls="RRLYR", subclass="RRab", **options)[0]


def _phases(curves: PreparedCurves) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """phi21 and phi31 of the sine series of the curves."""
    values = curves.value.reshape(len(curves), -1).astype(float)
    phi = np.angle(np.fft.rfft(values, axis=1)) + np.pi / 2
    return phi[:, 2] - 2 * phi[:, 1], phi[:, 3] - 3 * phi[:, 1]


def _turn(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs((difference + np.pi) % (2 * np.pi) - np.pi)


@pytest.fixture(scope="module")
def tables(data_dir: Path) -> dict[str, StarTable]:
    names = {"BLG": "rrab_bulge_v_fourier.dat", "SMC": "rrab_smc_i_fourier.dat", "RRc": "rrc_lmc_smc_i_fourier.dat"}
    found = {key: read_fourier_table(data_dir / "catalogs" / name) for key, name in names.items()}
    return {
        key: StarTable(columns={name: column[::10] for name, column in table.items()}) for key, table in found.items()
    }


# ---------------------------------------------------------------------- the series
@settings(max_examples=30, deadline=None)
@given(phi=st.lists(st.floats(-3.1, 3.1), min_size=3, max_size=3), turn=st.floats(0, 1))
def test_terms_come_back_and_the_epoch_does_not_matter(phi: list[float], turn: float) -> None:
    terms: dict[str, float] = {f"phi{k}": phi[k - 1] for k in ORDER}
    moved: dict[str, float] = {f"phi{k}": terms[f"phi{k}"] + 2 * np.pi * k * turn for k in ORDER}
    limits = FourierLimits(sum_low=0.1, sum_high=2.0)
    curves = _reconstruct(_table(terms, moved), limits=limits)
    phi21, phi31 = _phases(curves)
    assert _turn(phi21 - (phi[1] - 2 * phi[0])).max() < 1e-4
    assert _turn(phi31 - (phi[2] - 3 * phi[0])).max() < 1e-4
    np.testing.assert_allclose(curves.value[:64], curves.value[64:], atol=2e-5)


def test_the_tabulated_phases_and_amplitudes_come_back(tables: dict[str, StarTable]) -> None:
    for key, band in (("BLG", "V"), ("SMC", "I"), ("RRc", "I")):
        table = tables[key]
        curves = _reconstruct(table, band)
        assert len(curves) > 0.9 * table.n_rows
        rows = np.array([table["id"].tolist().index(star) for star in curves.star_id])
        phi21, phi31 = _phases(curves)
        # third decimals in the table; some of the amplitudes there are zero
        assert _turn(phi21 - table["phi21"][rows])[table["A2"][rows] > 0].max() < 0.003
        assert _turn(phi31 - table["phi31"][rows])[table["A3"][rows] > 0].max() < 0.004
        magnitudes = curves.value.reshape(len(curves), -1) * curves.scale[:, None]
        size = 2 * np.abs(np.fft.rfft(magnitudes, axis=1)) / 64
        for k in ORDER:
            np.testing.assert_allclose(size[:, k], table[f"A{k}"][rows], atol=1e-6)
        assert np.abs(size[:, 4:]).max() < 1e-6


def test_rrab_rise_fast_and_fade_slowly(tables: dict[str, StarTable]) -> None:
    for key, band in (("BLG", "V"), ("SMC", "I")):
        curves = _reconstruct(tables[key], band)
        values = curves.value.reshape(len(curves), -1)
        brightest, faintest = values.argmin(axis=1) / 64, values.argmax(axis=1) / 64
        rise = (brightest - faintest) % 1.0
        assert np.median(rise) < 0.3
        assert np.mean(rise < 0.5) > 0.98
        # the phase zero is that of measured curves: maximum light, give or take the harmonics
        assert np.mean(np.minimum(brightest, 1 - brightest) < 0.15) > 0.98


def test_reconstructed_curves_agree_with_photometry_of_the_same_stars(data_dir: Path) -> None:
    """The tables' series, sign and scatter, from ASAS stars whose terms and photometry are both at hand."""
    table = read_fourier_table(data_dir / "catalogs" / "rrlyr_spectroscopic_feh_chr.dat")
    pack = read_pack(data_dir / "lightcurves" / "asas_i_rrlyr.h5")
    at = {str(star): i for i, star in enumerate(pack.columns["id"])}
    wanted = (table["use"] == "asas") & np.char.startswith(table["type"], "RRab") & np.isfinite(table["A1"])
    rows = [j for j in np.flatnonzero(wanted) if str(table["id_asas"][j]) in at]
    rows = [j for i, j in enumerate(rows) if table["id_asas"][j] not in table["id_asas"][rows[:i]]][:25]
    columns = {name: column[rows] for name, column in table.items()} | {"id": table["id_asas"][rows]}
    curves = _reconstruct(StarTable(columns=columns), "I")
    assert len(curves) > 15
    grid = np.arange(64) / 64
    off, ratio = [], []
    for i, star in enumerate(curves.star_id):
        j = rows[columns["id"].tolist().index(star)]
        own = slice(int(pack.offsets[at[star]]), int(pack.offsets[at[star] + 1]))
        mag, err = pack.mag[own].astype(float), pack.mag_err[own].astype(float)
        fit = fit_fourier(phase_of(pack.mjd[own], table["period"][j]), mag, err, n_harmonics=8)
        real = fourier_series(rotate_coefficients(fit.coefficients, alignment_shift(fit.coefficients))[:3], grid)
        ours = curves.value[64 * i : 64 * (i + 1)] * curves.scale[i]
        off.append(np.std(ours - real) / np.std(real))
        # 64 points with sigma say as much about a coefficient as the observations with their scatter
        sigma = float(curves.sigma[64 * i]) * curves.scale[i]
        ratio.append(sigma / np.sqrt(64) / (fit.scatter / np.sqrt(mag.size)))
    assert np.median(off) < 0.03
    assert 1.1 < np.median(ratio) < 1.5


# ---------------------------------------------------------------------- units and weights
def test_the_unit_is_the_amplitude_of_the_whole_fit_brought_to_v() -> None:
    whole, cut = (_reconstruct(_table({"order": order}), "I") for order in (3.0, 8.0))
    assert cut.amplitude[0] == 0.9
    assert cut.scale[0] == pytest.approx(0.9 * AMPLITUDE_IN_V["I"])
    # three harmonics that were all there was are the curve
    assert np.ptp(whole.fit_grid) * whole.scale[0] == pytest.approx(whole.amplitude[0], rel=2e-3)
    assert np.ptp(cut.value) * cut.scale[0] == pytest.approx(np.ptp(whole.value) * whole.scale[0], rel=1e-6)
    np.testing.assert_allclose(cut.magnitude(0, cut.value).mean(), 15.0, atol=1e-5)


def test_the_points_weigh_as_much_as_the_observations() -> None:
    curves = _reconstruct(_table({}, {"snr": 600.0}, {"cost": 2.0}, {"snr": 600.0, "Npt": 600.0}))
    sigma = curves.sigma[::64] * curves.scale
    scatter = np.array([0.9 * np.sqrt(150) / 300, 0.9 * np.sqrt(150) / 600, np.sqrt(2 * 2.0 / 133), 0.9 / 600])
    scatter[3] *= np.sqrt(600)
    np.testing.assert_allclose(sigma, 1.3 * scatter * np.sqrt(64 / np.array([150, 150, 150, 600])), rtol=1e-5)


def test_metallicities_get_their_scatter_by_star() -> None:
    ids = np.array([f"s{i}" for i in range(2000)])
    fe_h = np.full(2000, -1.5)
    photometric = np.arange(2000) % 2 == 0
    out = scatter_metallicity(fe_h, ids, subclass="RRab", photometric=photometric)
    assert (out[1::2] == -1.5).all()
    assert np.std(out[::2]) == pytest.approx(FE_H_SCATTER["RRab"], rel=0.1)
    again = scatter_metallicity(fe_h[:10], ids[:10][::-1], subclass="RRab", photometric=photometric[:10][::-1])
    np.testing.assert_array_equal(again[::-1], out[:10])
    assert np.isnan(scatter_metallicity([np.nan], ["x"], subclass="RRc", photometric=[True])).all()


def test_the_scatter_of_metallicities_is_that_of_the_calibration(data_dir: Path) -> None:
    from lcgen.population import training_table

    text = training_table(data_dir)[1]
    for subclass, scatter in FE_H_SCATTER.items():
        line = next(part for part in text.split("[Fe/H] of ") if part.startswith(subclass))
        assert f"rms {scatter:.2f} dex" in line


# ---------------------------------------------------------------------- what is left out
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"snr": 10.0}, "low signal-to-noise"),
        ({"phcov": 0.5}, "phase gap"),
        ({"Npt": 20.0}, "few observations"),
        ({"amplitude": 0.0, "A1": 0.0, "A2": 0.0, "A3": 0.0, "order": 3.0}, "small amplitude"),
        ({"cost": 40.0, "snr": 40.0}, "large scatter"),
        ({"amplitude": 2.0}, "terms contradict the amplitude"),
        ({"phi3": np.nan}, "terms missing"),
        ({"period": np.nan}, "no period"),
    ],
)
def test_poor_fits_are_left_out_and_counted(change: dict[str, float], reason: str) -> None:
    limits = FourierLimits(snr_min=5.0) if reason == "large scatter" else None
    curves, report = reconstruct(_table({}, change), survey="OGLE", band="V", cls="RRLYR", limits=limits)
    assert curves.star_id.tolist() == ["star 0"]
    assert report.reasons == {("RRLYR", reason): 1}
    assert (report.kept, report.dropped) == ({"RRLYR": 1}, {"RRLYR": 1})


def test_wrong_arguments_are_told() -> None:
    table = _table({})
    with pytest.raises(UnknownNameError, match="class"):
        reconstruct(table, survey="OGLE", band="V", cls="RR")
    with pytest.raises(UnknownNameError, match="subclass"):
        reconstruct(table, survey="OGLE", band="V", cls="RRLYR", subclass="RRx")
    with pytest.raises(UnknownNameError, match="band"):
        _reconstruct(table, "I", bands=("V",))
    with pytest.raises(InputError, match="phi3"):
        _reconstruct({k: v for k, v in table.items() if k != "phi3"})
    with pytest.raises(InputError, match="none of the 1"):
        _reconstruct(_table({"snr": 1.0}))
    with pytest.raises(ConfigError, match="sum_high"):
        FourierLimits(sum_low=1.0, sum_high=0.9)


# ---------------------------------------------------------------------- beside measured curves
@pytest.fixture(scope="module")
def measured(ogle_sample: LightCurves) -> PreparedCurves:
    few = ogle_sample.take(np.flatnonzero(np.isin(ogle_sample.columns["id"], ogle_sample.columns["id"][:6])))
    return prepare([few], progress=False)[0]


def test_sets_are_put_together_row_by_row(measured: PreparedCurves, tmp_path: Path) -> None:
    further = _reconstruct(_table({}, {"phi2": 2.0}), "I", params={"teff": [6500.0, np.nan], "period": [9.0, 9.0]})
    both = PreparedCurves.concatenate([measured, further, measured])
    n, m = len(measured), len(further)
    assert len(both) == 2 * n + m
    for rows, part in ((slice(0, n), measured), (slice(n, n + m), further), (slice(n + m, None), measured)):
        again = both.take(np.arange(len(both))[rows])
        for name in ("star_id", "survey", "cls", "params", "scale", "partner", "offsets", "value", "n_harmonics"):
            np.testing.assert_array_equal(getattr(again, name), getattr(part, name))
    paired = np.flatnonzero(both.partner >= 0)
    assert paired.size
    np.testing.assert_array_equal(both.star_id[both.partner[paired]], both.star_id[paired])
    assert both.n_harmonics.tolist() == [0] * n + [3] * m + [0] * n
    assert both.params[n].tolist()[:2] == [0.55, 6500.0]
    both.save(tmp_path / "a.npz")
    np.testing.assert_array_equal(PreparedCurves.load(tmp_path / "a.npz").n_harmonics, both.n_harmonics)
    with pytest.raises(InputError, match="bands"):
        PreparedCurves.concatenate([measured, _reconstruct(_table({}), bands=("V",))])
    with pytest.raises(InputError, match="no prepared curves"):
        PreparedCurves.concatenate([])


def test_files_of_before_hold_measured_curves(measured: PreparedCurves, tmp_path: Path) -> None:
    measured.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as stored:
        old = {k: stored[k] for k in stored.files if k not in ("n_harmonics", "allow_pickle")}
    np.savez(tmp_path / "old.npz", **old)
    assert PreparedCurves.load(tmp_path / "old.npz").n_harmonics.tolist() == [0] * len(measured)


def test_reconstructed_curves_are_never_tested_on() -> None:
    from types import SimpleNamespace

    from lcgen.evaluate import evaluate, quick_card

    curves = _reconstruct(_table(*[{}] * 120))
    generator = SimpleNamespace(classes=("RRLYR",), bands=("V",), name="any", info={})
    for judge in (evaluate, quick_card):
        with pytest.raises(InputError, match="no unseen star"):
            judge(generator, curves, split=np.full(120, 2), progress=False)


# ---------------------------------------------------------------------- the same star under two names
def _read(data_dir: Path, survey: int, n: int = 150) -> LightCurves:
    """F-mode Cepheids of OGLE in I, with the periods of that phase of the survey."""
    curves = read_pack(data_dir / "lightcurves" / f"ogle{survey}_lmc_cep_i.h5")
    table = read_ogle_cepf(data_dir / "catalogs" / f"ogle{survey}_lmc_cepF.dat")
    curves = curves.take(np.flatnonzero(np.isin(curves.columns["id"], table["id"][:n])))
    at = dict(zip(table["id"].tolist(), table["period"].tolist(), strict=True))
    period = np.array([at[star] for star in curves.columns["id"].tolist()])
    return dataclasses.replace(curves, columns=dict(curves.columns) | {"period": period})


def test_stars_are_found_again_by_their_ephemerides(data_dir: Path) -> None:
    first, second = _read(data_dir, 3), _read(data_dir, 4)
    common = np.intersect1d(first.columns["id"], second.columns["id"])
    pairs = match_stars(first, second, max_period=60.0)
    assert len(pairs) > 0.8 * common.size
    assert all(first.columns["id"][i] == second.columns["id"][j] for i, j in pairs)
    # periods above the limit are left alone
    found = match_stars(first, second, max_period=3.0)
    assert found
    assert {i for i, _ in found} < {i for i, _ in pairs}
    assert all(first.columns["period"][i] < 3.0 for i, _ in found)


def test_strangers_are_not_found(data_dir: Path) -> None:
    first, second = _read(data_dir, 3), _read(data_dir, 4)
    half = len(first) // 2
    strangers = second.take(np.flatnonzero(~np.isin(second.columns["id"], first.columns["id"][:half])))
    assert match_stars(first.take(np.arange(half)), strangers, max_period=60.0) == []


def test_found_stars_take_over_names_and_bands_also_periods(data_dir: Path) -> None:
    first, second = _read(data_dir, 3, 400), _read(data_dir, 4, 400)
    other = np.char.add("x", second.columns["id"])
    nameless = dict(second.columns) | {"id": other, "subclass": np.full(len(second), "")}
    second = dataclasses.replace(second, columns=nameless)
    renamed, found = rename_matched(first, second, bands_of_one_survey=True)
    assert found.sum() > 3
    np.testing.assert_array_equal(renamed.columns["id"][found], np.char.lstrip(other[found], "x"))
    np.testing.assert_array_equal(renamed.columns["id"][~found], other[~found])
    assert (renamed.columns["subclass"][found] == "F").all()
    at = dict(zip(first.columns["id"].tolist(), first.columns["period"].tolist(), strict=True))
    assert all(at[s] == p for s, p in zip(renamed.columns["id"][found], renamed.columns["period"][found], strict=True))
    named, _ = rename_matched(first, second, bands_of_one_survey=False)
    np.testing.assert_array_equal(named.columns["id"], renamed.columns["id"])
    np.testing.assert_array_equal(named.columns["period"], second.columns["period"])
    with pytest.raises(InputError, match="period"):
        match_stars(first, dataclasses.replace(second, columns={"class": second.columns["class"]}))
