"""The command line, run in this process on real work with a small generator."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lcgen
from lcgen import assets
from lcgen.catalog import read_pack, write_pack
from lcgen.cli import main
from lcgen.ensemble import EnsembleWriter, content_digest

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (
    "sample",
    "ensemble",
    "inspect",
    "verify",
    "export",
    "compare",
    "figures",
    "plot",
    "models",
    "cadences",
    "plugins",
    "pack",
    "train",
    "tune",
    "periods",
    "evaluate",
    "import-pelsvae",
)
CSV_SCHEDULE = "mjd,band,fiveSigmaDepth\n" + "".join(
    f"{60000 + 0.37 * k:.2f},{'gri'[k % 3]},24.{k % 10}\n" for k in range(30)
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def models_root(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundled models with one that was trained in a minute."""
    root = tmp_path_factory.mktemp("pretrained")
    shutil.copytree(tiny_model, root / "periodic-vi")
    assets.write_manifest_entry(root / "periodic-vi", description="Trained in a minute.", default=True, root=root)
    return root


def use_models(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = assets.data_folder
    monkeypatch.setattr(assets, "data_folder", lambda kind: root if kind == "pretrained" else where(kind))


@pytest.fixture
def bundled(models_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the small model the bundled default, under the name of the shipped one."""
    use_models(models_root, monkeypatch)
    return models_root / "periodic-vi"


def one_line(err: str) -> str:
    assert err.startswith("lcgen: ") and err.endswith("\n") and err.count("\n") == 1, err
    return err


# ---------------------------------------------------------------- help and examples


def help_of(run: Run, *words: str) -> str:
    code, out, err = run(*words, "--help")
    assert (code, err) == (0, "")
    return out


def examples_in(text: str) -> list[list[str]]:
    lines = text.partition("\nexample:\n")[2].splitlines()
    return [line.split()[1:] for line in lines if line.startswith("  lcgen ")]


def test_help_names_every_command(run: Run) -> None:
    text = help_of(run)
    listed = re.findall(r"^    ([\w-]+)(?:  |$)", text.partition("commands:")[2], re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_example_runs(
    command: str, run: Run, bundled: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All command lines that a help shows, in a folder that holds what they name."""
    text = help_of(run, *command.split())
    examples = examples_in(text)
    assert examples, text
    assert re.search(r"\n\n\w[^\n]{30,}\n", text), "no description"
    raw = data_dir / "raw_samples"
    if command == "pack":
        shutil.copytree(raw / "ogle" / "O3" / "I", "phot/I")
        shutil.copytree(raw / "css", "css")
        shutil.copy(data_dir / "catalogs" / "ogle4_lmc_cep_ident.dat", "ident.dat")
        shutil.copy(data_dir / "catalogs" / "ogle3_lmc_cepF.dat", "cepF.dat")
    if command == "train":
        Path("configs").mkdir()
        Path("configs/tiny.toml").write_text(hasty((ROOT / "configs" / "tiny.toml").read_text()))
        monkeypatch.setenv("LCGEN_DATA", str(data_dir))
    if command == "tune":
        Path("configs").mkdir()
        shutil.copy(ROOT / "configs" / "tiny.toml", "configs/periodic-vi.toml")
        monkeypatch.delenv("LCGEN_DATA", raising=False)
    if command == "periods":
        few = read_pack(data_dir / "lightcurves" / "asas_v.h5", classes=["RRLYR"])[:4]
        write_pack(few, "asas_v.h5", survey="ASAS", band="V", citation="none", time_standard="HJD")
    if command == "export":
        drawn = ("--per-class", 3, "--mean-mag", 17, 21, "--noise", "depth")
        assert run("ensemble", "--cadence", "lsst-wfd", *drawn, "--output", "train.h5")[0] == 0
    if command in ("inspect", "verify", "plot"):
        assert run("ensemble", "--cadence", "css", "--per-class", 3, "--output", "ensemble.h5")[0] == 0
    if command == "compare":  # of few stars: tests/test_compare.py has more
        for name in ("baseline.db", "rolling.db"):
            shutil.copy(data_dir / "cadences" / "sv_db_subsampled.db", name)
        few = ["--per-class", "4", "--classes", "RRLYR", "ECL", "--quiet"]
        examples = [
            [*words, *few] if "lsst-ddf" not in words else [*words, *few, "--mean-mag", "22"] for words in examples
        ]
    if command == "evaluate":
        monkeypatch.setenv("LCGEN_DATA", str(data_dir))
    if command == "import-pelsvae":
        reference = data_dir.parent / "reference" / "pelsvae"
        if not reference.is_dir():
            pytest.skip("needs the released networks beside the survey data")
        shutil.copytree(reference / "yp4qdw1r", "pelsvae/yp4qdw1r")
    for words in examples:
        code, out, err = run(*words)
        if command == "evaluate":  # the smallest model has a dozen unseen stars of a class, too few to judge it by
            assert (code, len(err.splitlines())) == (2, 1), err
            assert "unseen stars" in err
            continue
        if command == "tune":  # many trainings: tests/test_tune.py has a few; here it is told that there is no data
            assert (code, len(err.splitlines())) == (2, 1), err
            assert "LCGEN_DATA" in err
            continue
        assert (code, err) == (0, ""), (words, err)
        if "--output" in words:
            assert Path(words[words.index("--output") + 1]).exists()
        else:
            assert out.strip()
        if command == "train":
            assert lcgen.load_generator(out.strip()).classes == ("CEP", "RRLYR")


def hasty(config: str) -> str:
    """The configuration of the smallest model with less of everything."""
    for old, new in (
        ("max_stars = 60", 'max_stars = 40\nclasses = ["CEP", "RRLYR"]'),
        ("epochs = 4", "epochs = 1"),
        ("beta = 0.1", "beta = 0.001\nactive_variance = 1e-4"),
        ("options = { epochs = 3 }", "options = { epochs = 1 }"),
    ):
        assert old in config
        config = config.replace(old, new)
    return config + '\n[population]\nsource = "curves"\nmax_components = 1\n'


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from lcgen.cli import main; main(['--help']); main(['--version']); main(['ensemble', '--help']); "
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert loaded & {"torch", "astropy", "numpy", "scipy", "h5py", "pandas", "matplotlib", "tqdm"} == set()
    assert re.search(r"^lcgen \d+[.+]", done.stdout, re.MULTILINE)


def test_inspecting_and_listing_do_not_import_torch() -> None:
    code = (
        "import sys; from lcgen.cli import main; main(['models']); main(['cadences']); main(['inspect', 'x.h5']); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


# ---------------------------------------------------------------- sample


def test_sample_is_the_library(run: Run, bundled: Path, tmp_path: Path) -> None:
    """Every format holds what draw and observe return."""
    from astropy.table import Table

    line = "sample RRLYR --param period=0.55 --param mean_mag=17 --cadence lsst-wfd --noise depth --seed 7 --n 3"
    words = line.split()
    stars = lcgen.load_generator(bundled).draw("RRLYR", 3, params={"period": 0.55, "mean_mag": 17.0}, seed=7)
    curves = stars.observe(lcgen.load_recipe("lsst-wfd"), noise="depth")
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    tables = [Table.read(out, format="ascii.csv")]
    for name in ("a.csv", "a.ecsv", "a.parquet"):
        if name.endswith("parquet"):
            pytest.importorskip("pyarrow")
        assert run(*words, "--output", name, "--stars", f"stars-{name}") == (0, "", "")
        tables.append(Table.read(name))
        table = Table.read(f"stars-{name}")
        np.testing.assert_allclose(table["period"], 0.55)
        np.testing.assert_allclose(table["amplitude"], stars.columns["amplitude"], rtol=1e-9)
        assert Table.read(name).colnames[:4] == ["star_id", "class", "subclass", "band"]
    assert str(tables[2]["mjd"].unit) == "d" and str(tables[2]["flux"].unit) == "nJy"
    for table in tables:
        np.testing.assert_array_equal(table["star_id"], curves.star_index)
        assert list(table["band"]) == list(curves.band)
        np.testing.assert_allclose(table["mjd"], curves.mjd, rtol=0, atol=1e-8)
        np.testing.assert_allclose(table["mag"], curves.mag, rtol=0, atol=1e-6)
        np.testing.assert_allclose(table["mag_err"], curves.mag_err, rtol=0, atol=1e-6)
        np.testing.assert_allclose(table["flux"], curves.flux, rtol=1e-8)
        np.testing.assert_allclose(table["phase"], curves.phase(), rtol=0, atol=1e-8)


def test_sample_at_times_in_a_band_of_a_subclass(run: Run, bundled: Path) -> None:
    code, out, _ = run("sample", "CEP", "--subclass", "1O", "--times", 60000, 60000.25, "--band", "I", "--n", 2)
    rows = [line.split(",") for line in out.splitlines()]
    assert code == 0 and len(rows) == 5
    assert all(row[1:4] == ["CEP", "1O", "I"] for row in rows[1:])
    assert [float(row[4]) for row in rows[1:]] == [60000.0, 60000.25] * 2
    assert run("sample", "CEP", "--times", 60000, "--seed", 1)[1] != run("sample", "CEP", "--times", 60000)[1]


def test_filters_and_bands(run: Run, bundled: Path) -> None:
    """A schedule in g, r, i: these bands unless told otherwise."""
    Path("gri.csv").write_text(CSV_SCHEDULE)

    def bands(*words: str) -> str:
        code, out, err = run("sample", "ECL", "--cadence", "gri.csv", *words)
        assert (code, err) == (0, "")
        return "".join(line.split(",")[3] for line in out.splitlines()[1:])

    assert bands() == "gri" * 10
    assert bands("--band", "nearest") == "VVI" * 10
    assert bands("--band", "I") == "I" * 30
    assert bands("--band", "g=V, r=I,i=V") == "VIV" * 10


# ---------------------------------------------------------------- ensembles


def test_ensemble_is_the_library(run: Run, bundled: Path) -> None:
    line = "ensemble --cadence lsst-wfd --per-class 4 --classes RRLYR LPV --seed 3 --mean-mag 17 21 --noise depth"
    words = line.split()
    code, out, err = run(*words, "--batch-size", 3, "--compression", "lzf", "--output", "a.h5")
    assert (code, err) == (0, "")
    assert "LPV 4, RRLYR 4" in out and "a.h5 (" in out
    generator = lcgen.load_generator(bundled)
    lcgen.generate_ensemble(
        generator,
        "b.h5",
        classes=["RRLYR", "LPV"],
        n_per_class=4,
        cadence="lsst-wfd",
        seed=3,
        noise="depth",
        mean_mag=(17.0, 21.0),
    )
    assert content_digest("a.h5") == content_digest("b.h5")
    with lcgen.open_ensemble("a.h5") as ensemble:
        means = ensemble.columns(["mean_mag"])["mean_mag"]
        assert ((means >= 17) & (means <= 21)).all() and np.ptp(means) > 0.1
        assert (ensemble[0].mag_err > 0).all()
        assert ensemble.header.command.startswith("lcgen ensemble --cadence lsst-wfd --per-class 4")
    assert run("inspect", "a.h5")[1] == out
    assert run(*words, "--output", "a.h5", "--overwrite", "--noise", "none", "--mean-mag", 18, "--seed", 4)[0] == 0
    with lcgen.open_ensemble("a.h5") as ensemble:
        assert (ensemble.columns(["mean_mag"])["mean_mag"] == 18).all()
        assert (ensemble[0].mag_err == 0).all()


def test_ensemble_of_given_stars_under_an_opsim_schedule(run: Run, bundled: Path, data_dir: Path) -> None:
    import sqlite3

    path = data_dir / "cadences" / "opsim_shorten.db"
    with sqlite3.connect(path) as schedule:
        ra, dec = schedule.execute("SELECT fieldRA, fieldDec FROM observations LIMIT 1").fetchone()
    words = ["ensemble", "--cadence", path, "--per-class", 2, "--classes", "RRLYR", "--output", "a.h5"]
    at = ["--ra", ra, "--dec", dec, "--param", "period=0.6", "--param", "mean_mag=20", "--noise", "depth"]
    assert run(*words, *at)[0] == 0
    with lcgen.open_ensemble("a.h5") as ensemble:
        columns = ensemble.columns(["period", "mean_mag", "ra"])
        np.testing.assert_allclose(columns["period"], 0.6)
        np.testing.assert_allclose(columns["mean_mag"], 20.0)
        np.testing.assert_allclose(columns["ra"], ra)
        assert len(ensemble[0]) > 0
    code, _, err = run(*words, "--overwrite")
    assert code == 2 and "ra and dec" in one_line(err)


def test_interrupted_ensemble_goes_on(run: Run, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [
        "ensemble",
        "--cadence",
        "css",
        "--classes",
        "RRLYR",
        "--per-class",
        "150",
        "--batch-size",
        "4",
        "--seed",
        "5",
    ]
    append, calls = EnsembleWriter.append, []

    def interrupted(self: EnsembleWriter, lightcurves: lcgen.LightCurves) -> None:
        calls.append(len(lightcurves))
        if len(calls) == 7:
            signal.raise_signal(signal.SIGINT)
        append(self, lightcurves)

    with monkeypatch.context() as patch:
        patch.setattr(EnsembleWriter, "append", interrupted)
        code, out, err = run(*words, "--output", "a.h5")
    assert (code, out) == (130, "")
    assert "--resume" in one_line(err)
    assert not Path("a.h5").exists()
    assert run(*words, "--output", "a.h5", "--resume")[0] == 0
    assert run(*words, "--output", "b.h5")[0] == 0
    assert content_digest("a.h5") == content_digest("b.h5")
    code, out, _ = run(*words, "--output", "a.h5", "--resume")  # finished already
    assert code == 0 and "RRLYR 150" in out


# ---------------------------------------------------------------- plot, models, cadences, pack


def test_pictures(run: Run, bundled: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    assert run("ensemble", "--cadence", "css", "--per-class", 3, "--output", "e.h5")[0] == 0
    assert run("plot", "e.h5", "--columns", 2, "--output", "a.png") == (0, "a.png\n", "")
    sheets = {}
    for name, words in {"v": (), "v2": (), "i": ("--band", "I"), "seed": ("--seed", 1)}.items():
        assert run("plot", bundled, "--columns", 2, "--classes", "RRLYR", "--output", f"{name}.png", *words)[0] == 0
        sheets[name] = imread(f"{name}.png")
    assert (imread("a.png") < 0.9).any() and imread("a.png").shape[0] > 4 * sheets["v"].shape[0]  # eight classes
    np.testing.assert_array_equal(sheets["v"], sheets["v2"])
    assert sheets["i"].shape == sheets["v"].shape and (sheets["i"] != sheets["v"]).any()
    assert (sheets["seed"] != sheets["v"]).any()


def test_models_and_their_cards(run: Run, bundled: Path) -> None:
    code, out, _ = run("models")
    head, row = out.splitlines()
    assert code == 0 and head.split() == ["name", "default", "classes", "bands", "description"]
    generator = lcgen.load_generator(bundled)
    expected = [
        "periodic-vi",
        "yes",
        ",".join(generator.classes),
        ",".join(generator.trained_bands),
        "Trained in a minute.",
    ]
    assert re.split(r"\s{2,}", row) == expected
    assert run("models", "periodic-vi")[1].strip() == generator.card.strip() != ""
    assert run("models", bundled)[1] == run("models", "periodic-vi")[1]


def test_without_a_bundled_model(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_models(tmp_path, monkeypatch)
    assert run("models") == (0, "no model is bundled\n", "")
    code, out, err = run("sample", "RRLYR", "--times", "60000")
    assert (code, out) == (2, "") and "no model" in one_line(err)


def test_cadences_are_the_recipes(run: Run) -> None:
    from lcgen.cadence import list_recipes

    code, out, _ = run("cadences")
    assert code == 0
    assert tuple(line.split()[0] for line in out.splitlines()[1:]) == list_recipes()


def test_pack_tells_what_it_left_out(run: Run, data_dir: Path) -> None:
    shutil.copytree(data_dir / "raw_samples" / "ogle" / "O3" / "I", "phot/I")
    ident = data_dir / "catalogs" / "ogle4_lmc_cep_ident.dat"
    victim = sorted(Path("phot/I").glob("*.dat"))[0]
    victim.write_text(victim.read_text() + "2455000.1 what 0.01\n")
    words = ["pack", "phot/I", "--ident", ident, "--output", "a.h5", "--survey", "OGLE-III"]
    code, _, err = run(*words)
    assert code == 2 and victim.name in one_line(err) and not Path("a.h5").exists()
    code, out, _ = run(*words, "--skip-malformed")
    assert code == 0 and re.search(rf"left out: .*{re.escape(victim.name)}:\d+: ", out)
    curves = lcgen.read_pack("a.h5")
    assert f"{len(curves):,} stars" in out and f"{curves.mjd.size:,} observations" in out
    code, _, err = run(*words, "--skip-malformed")
    assert code == 2 and "--overwrite" in one_line(err)


# ---------------------------------------------------------------- bad input

SAMPLE = "sample RRLYR --times 60000"
ENSEMBLE = "ensemble --cadence css --per-class 2 --output e.h5"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "COMMAND"),
        ("frobnicate", "frobnicate"),
        ("sample RRLYR", "--cadence"),
        (f"{SAMPLE} --seed seven", "seven"),
        (f"{SAMPLE} --n many", "many"),
        (f"{SAMPLE} --sede 3", "--sede"),
        (f"{SAMPLE} --param period", "NAME=VALUE"),
        (f"{SAMPLE} --param period=long", "period must be a number"),
        (f"{SAMPLE} --param period=0.5 --param period=0.6", "twice"),
        (f"{SAMPLE} --ra 3", "--dec"),
        (f"{SAMPLE} --output a.xlsx", ".ecsv"),
        (f"{SAMPLE} --output nowhere/a.csv", "nowhere"),
        (f"{SAMPLE} --output folder.csv", "folder"),
        (f"{SAMPLE} --output there.csv", "--overwrite"),
        ("sample RRLYR --cadence noon", "noon"),
        ("sample RRLYR --cadence nowhere.csv", "nowhere.csv"),
        ("sample RRLYR --cadence empty.csv", "empty.csv"),
        (f"{ENSEMBLE} --ra x", "'x'"),
        (f"{ENSEMBLE} --mean-mag 1 2 3", "3 numbers"),
        (f"{ENSEMBLE} --compression zip", "zip"),
        ("ensemble --cadence css --per-class 2 --output there.h5", "--overwrite"),
        ("ensemble --cadence css --per-class 2 --output folder.h5", "folder"),
        ("ensemble --cadence css --per-class 2 --output no/a.h5", "no"),
        ("inspect nowhere.h5", "nowhere.h5"),
        ("inspect there.h5", "there.h5"),
        ("inspect folder.h5", "folder.h5"),
        ("plot there.h5 --output a.png", "there.h5"),
        ("plot nowhere.h5 --output a.png", "nowhere.h5"),
        ("plot nowhere.h5 --output a.pdf", ".png"),
        ("plot nowhere.h5 --output a.png --columns 0", "--columns"),
        ("plot nowhere.h5 --output a.png --band V", "--band"),
        ("plot nothing --output a.png", "nothing"),
        ("models nothing", "nothing"),
        ("models folder.h5", "card.md"),
        ("pack nowhere --band I --output a.h5", "nowhere"),
        ("pack folder.h5 --output a.h5", "band"),
        ("pack folder.h5 --kind kepler --output a.h5", "kepler"),
        ("pack folder.h5 --band I --output there.h5", "--overwrite"),
        ("train nowhere.toml", "nowhere.toml"),
        ("train folder.h5", "folder.h5"),
        ("train notoml.toml", "notoml.toml"),
        ("train key.toml", "training.epocs"),
        ("train type.toml", "training.epochs"),
        ("train good.toml --output there.h5", "there.h5"),
    ],
)
def test_bad_input_is_one_line(line: str, said: str, run: Run) -> None:
    """What can be refused without a model."""
    Path("folder.h5").mkdir()
    Path("folder.csv").mkdir()
    Path("there.h5").write_bytes(b"not HDF5")
    Path("there.csv").write_text("mine\n")
    Path("empty.csv").write_text("")
    Path("notoml.toml").write_text("name = \n")
    minimal = 'name = "a"\n[data]\nfolder = "."\npacks = [{ path = "p.h5", survey = "S" }]\n'
    Path("good.toml").write_text(minimal)
    Path("key.toml").write_text(minimal + "[training]\nepocs = 3\n")
    Path("type.toml").write_text(minimal + '[training]\nepochs = "three"\n')
    before = sorted(Path().iterdir())
    code, out, err = run(*line.split())
    assert (code, out) == (2, ""), err
    assert said in one_line(err) and err.startswith("lcgen: error: ")
    assert sorted(Path().iterdir()) == before  # nothing is left behind
    assert Path("there.csv").read_text() == "mine\n" and Path("there.h5").read_bytes() == b"not HDF5"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sample RRLIR --times 60000", "RRLYR"),
        (f"{SAMPLE} --model no-such", "no-such"),
        (f"{SAMPLE} --model ./no-such", "no-such"),
        (f"{SAMPLE} --model .", "generator"),
        (f"{SAMPLE} --band Q", "'Q'"),
        ("sample RRLYR --cadence css --band R=V", "filter"),
        (f"{SAMPLE} --param mass=1", "mass"),
        (f"{SAMPLE} --param period=4000", "period = 4000"),
        (f"{SAMPLE} --param period=-1", "period = -1"),
        (f"{SAMPLE} --subclass F", "RRab"),
        (f"{SAMPLE} --n -2", "-2"),
        (f"{SAMPLE} --seed -2", "-2"),
        (f"{SAMPLE} --noise TESS", "TESS"),
        (f"{SAMPLE} --noise depth", "depths"),
        ("sample RRLYR --times nan", "not finite"),
        (f"{ENSEMBLE} --classes RRLYR CEPHEID", "CEPHEID"),
        (f"{ENSEMBLE} --classes RRLYR RRLYR", "twice"),
        ("ensemble --cadence css --per-class 0 --output e.h5", "received 0"),
        ("ensemble --cadence css --per-class -3 --output e.h5", "received -3"),
        (f"{ENSEMBLE} --mean-mag 21 17", "faint"),
        (f"{ENSEMBLE} --mean-mag 21 --param mean_mag=17", "mean_mag"),
        (f"{ENSEMBLE} --workers 0", "workers"),
        (f"{ENSEMBLE} --batch-size 0", "batch_size"),
        (f"{ENSEMBLE} --noise OGLE-IX", "OGLE-IX"),
        (f"{ENSEMBLE} --band nearby", "nearby"),
        (f"{ENSEMBLE} --temper -1", "-1"),
        (f"{ENSEMBLE} --seed 99999999999999999999", "seed"),
        ("plot periodic-vi --output a.png --band Q", "'Q'"),
        ("plot periodic-vi --output a.png --classes RRLIR", "RRLYR"),
    ],
)
def test_what_the_model_does_not_know_is_one_line(line: str, said: str, run: Run, bundled: Path) -> None:
    code, out, err = run(*line.split())
    assert (code, out) == (2, ""), err
    assert said in one_line(err) and err.startswith("lcgen: error: ")
    assert not list(Path().iterdir())  # nothing is left behind


def test_a_truncated_ensemble_is_refused(run: Run, bundled: Path) -> None:
    assert run("ensemble", "--cadence", "css", "--per-class", 3, "--output", "e.h5")[0] == 0
    whole = Path("e.h5").read_bytes()
    for size in (len(whole) // 2, 100, 0):
        Path("e.h5").write_bytes(whole[:size])
        for words in (("inspect", "e.h5"), ("plot", "e.h5", "--output", "a.png")):
            code, out, err = run(*words)
            assert (code, out) == (2, "") and "e.h5" in one_line(err)


def test_debug_shows_where(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = run("inspect", "nowhere.h5", "--debug")
    assert code == 2 and "Traceback" in err and "EnsembleError" in err

    def broken(path: object) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr("lcgen.ensemble.summarise", broken)
    code, _, err = run("inspect", "nowhere.h5")
    assert code == 1 and "ZeroDivisionError: one two" in one_line(err) and "--debug" in err
    code, _, err = run("inspect", "nowhere.h5", "--debug")
    assert code == 1 and "Traceback" in err


def test_messages_go_to_stderr_when_asked_for(run: Run, bundled: Path) -> None:
    words = ["sample", "RRLYR", "--cadence", "lsst-wfd"]
    silent, quiet, verbose = run(*words), run(*words, "--quiet"), run(*words, "-v")
    assert silent == quiet and silent[2] == ""
    assert verbose[:2] == silent[:2] and "bands of the same name" in one_line(verbose[2])
    assert run(*words)[2] == ""  # -v does not last


@pytest.mark.skipif(os.name == "nt", reason="closed pipes are another matter on Windows")
def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [sys.executable, "-m", "lcgen.cli", "cadences"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (141, "")
