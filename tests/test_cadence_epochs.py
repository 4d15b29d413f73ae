"""Epochs of real light curves."""

from __future__ import annotations

import numpy as np
import pytest

from lcgen.cadence import EpochLibrary, as_cadence, read_epochs
from lcgen.errors import CadenceError, InputError, UnknownNameError


@pytest.mark.parametrize("survey", ["O3", "O4"])
@pytest.mark.parametrize("band", ["I", "V"])
def test_ogle_files(data_dir, survey, band):
    path = data_dir / "raw_samples" / "ogle" / survey / band / "OGLE-LMC-CEP-0001.dat"
    cadence = read_epochs(path)
    raw = np.loadtxt(path)
    assert cadence.bands == (band,)
    np.testing.assert_allclose(cadence.table.mjd, np.sort(raw[:, 0]) + 49999.5, rtol=0, atol=1e-8)


def test_ogle_files_agree_with_the_pack(data_dir):
    star = "OGLE-LMC-CEP-0001"
    raw = read_epochs(data_dir / "raw_samples" / "ogle" / "O3" / "I" / f"{star}.dat").table.mjd
    pack = read_epochs(data_dir / "lightcurves" / "ogle3_lmc_cep_i.h5", star=star)
    assert pack.bands == ("I",)
    np.testing.assert_allclose(pack.table.mjd, raw, rtol=0, atol=1e-4)


def test_css_files_are_mjd_in_v(data_dir):
    path = data_dir / "raw_samples" / "css" / "3035001000879.dat"
    cadence = as_cadence(path)
    assert cadence.bands == ("V",) and not cadence.per_star
    np.testing.assert_array_equal(cadence.visits().mjd, np.sort(np.loadtxt(path)[:, 0]))


def test_julian_dates_are_told_from_their_size(tmp_path):
    (tmp_path / "a.dat").write_text("2453597.5 14.0 0.1\n2453598.5 14.1 0.1\n")
    assert read_epochs(tmp_path / "a.dat", band="r").table.mjd.tolist() == [53597.0, 53598.0]


def test_epochs_of_a_library_belong_to_real_stars(data_dir):
    library = as_cadence(data_dir / "lightcurves" / "s82_rrlyr_g.h5")
    assert isinstance(library, EpochLibrary) and library.per_star and library.bands == ("g",)
    real = {library.of_star(i).mjd.tobytes() for i in range(len(library))}
    drawn = [library.visits(seed=4, index=i).mjd.tobytes() for i in range(60)]
    assert set(drawn) <= real and len(set(drawn)) > 30
    # a star has its epochs whatever was asked before
    fresh = EpochLibrary(data_dir / "lightcurves" / "s82_rrlyr_g.h5")
    assert [fresh.visits(seed=4, index=i).mjd.tobytes() for i in (59, 3)] == [drawn[59], drawn[3]]
    assert fresh.visits(seed=5, index=3).mjd.tobytes() != drawn[3]


def test_stars_with_few_epochs_are_not_drawn(data_dir):
    path = data_dir / "lightcurves" / "s82_rrlyr_g.h5"
    counts = [len(EpochLibrary(path, min_visits=60).visits(seed=1, index=i)) for i in range(20)]
    assert min(counts) >= 60
    with pytest.raises(CadenceError, match="has 100000 epochs or more"):
        EpochLibrary(path, min_visits=100_000).visits()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no epoch"),
        ("# only a comment\n", "holds no epoch"),
        ("2184.8 17.9 0.02\nnan 17.9 0.02\n", r"bad.dat:2: a time must be finite"),
        ("2184.8 17.9 0.02\n\nabc 17.9 0.02\n", r"bad.dat:3: expected a time, received 'abc'"),
        ("-3.0 17.9 0.02\n", r"bad.dat:1: a time must be finite and positive"),
        ("2184.8 17.9 0.02\n2452184.8 17.9 0.02\n", "mix time standards"),
    ],
)
def test_malformed_files_name_the_line(tmp_path, text, words):
    path = tmp_path / "bad.dat"
    path.write_text(text)
    with pytest.raises(CadenceError, match=words):
        read_epochs(path, band="I")


def test_the_band_of_a_file_must_be_known(tmp_path):
    (tmp_path / "a.dat").write_text("2184.8 17.9 0.02\n")
    with pytest.raises(InputError, match="give band="):
        read_epochs(tmp_path / "a.dat")
    with pytest.raises(UnknownNameError, match="band 'K'"):
        read_epochs(tmp_path / "a.dat", band="K")


def test_malformed_packs(data_dir, tmp_path):
    h5py = pytest.importorskip("h5py")
    whole = (data_dir / "lightcurves" / "s82_rrlyr_u.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CadenceError, match=r"cut\.h5: not a readable pack"):
        EpochLibrary(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "short.h5", "w") as file:
        file["objects/offset"] = [0, 5]
        file["observations/mjd"] = [1.0, 2.0]
        file.attrs["band"] = "V"
    with pytest.raises(CadenceError, match="ends at 5, but there are 2"):
        EpochLibrary(tmp_path / "short.h5")
    with pytest.raises(UnknownNameError, match="star 'nobody'"):
        read_epochs(data_dir / "lightcurves" / "s82_rrlyr_u.h5", star="nobody")
    with pytest.raises(InputError, match=r"star must lie in \[0, 250\)"):
        read_epochs(data_dir / "lightcurves" / "s82_rrlyr_u.h5", star=250)
