"""What holds for the project as a whole: its public names, its imports, its files, its figures."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import lcgen
from lcgen import errors
from lcgen.errors import InputError, LcgenError, MissingExtraError
from lcgen.lightcurve import LightCurves

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = sorted(ROOT.glob("plugins/*/pyproject.toml"))
HEAVY = {"torch", "astropy", "scipy", "sklearn", "matplotlib", "h5py", "pandas", "pyarrow", "zuko"}


def run_python(program: str) -> str:
    """What a fresh interpreter prints; it imports the lcgen that these tests import."""
    source = str(Path(str(lcgen.__file__)).parent.parent)
    environment = {**os.environ, "PYTHONPATH": source}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def repository_files(*suffixes: str) -> list[Path]:
    """The files that belong to the project (not what is built, downloaded or ignored)."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        paths = [ROOT / line for line in listed.stdout.splitlines()]
    else:  # an unpacked archive: no repository
        paths = [p for p in ROOT.rglob("*") if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    return [p for p in paths if p.is_file() and (not suffixes or p.suffix in suffixes)]


# The public namespace


@pytest.mark.parametrize("name", lcgen.__all__)
def test_every_public_name_imports(name: str) -> None:
    assert getattr(lcgen, name) is not None
    assert name in dir(lcgen)


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = lcgen.nothing_of_that_name  # type: ignore[attr-defined]


def test_every_error_is_public_and_of_the_family() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), LcgenError)
        assert getattr(lcgen, name) is getattr(errors, name)
    defined = {n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, Exception)}
    assert defined == set(errors.__all__)


def test_submodules_are_reached_without_importing_them() -> None:
    printed = run_python("import lcgen; print(lcgen.photometry.BANDS['V'].system, lcgen.errors.__name__)")
    assert printed.split() == ["Vega", "lcgen.errors"]


def test_train_stays_a_function_after_its_module_is_imported() -> None:
    printed = run_python(
        "import lcgen.train, lcgen; from lcgen.train import train; print(lcgen.train is train, callable(train))"
    )
    assert printed.split() == ["True", "True"]


def test_import_loads_nothing_heavy() -> None:
    loaded = run_python("import sys, lcgen; dir(lcgen); print(*sys.modules)").split()
    assert "lcgen" in loaded
    assert not HEAVY & set(loaded)
    assert "numpy" not in loaded


def test_import_costs_less_than_numpy() -> None:
    """As a ratio within one process, for the speed of the machine is not what is tested."""
    program = (
        "from time import perf_counter as t; a = t(); import lcgen; b = t(); import numpy; c = t(); "
        "print((b - a) / (c - b))"
    )
    assert min(float(run_python(program)) for _ in range(3)) < 0.5


@pytest.mark.parametrize("name", ["open_ensemble", "load_recipe", "read_pack", "list_models", "LightCurves"])
def test_light_uses_need_no_torch(name: str) -> None:
    loaded = run_python(f"import sys, lcgen; lcgen.{name}; print(*sys.modules)").split()
    assert "torch" not in loaded
    assert "zuko" not in loaded


# The files of the project


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited is not None
    assert cited[1] == version
    assert f"[{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert lcgen.__version__ in {version, "0+unknown"}


def test_torch_is_pinned_once_and_the_same() -> None:
    pin = re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pin is not None
    makefile = (ROOT / "Makefile").read_text()
    assert f"TORCH := {pin[0]}\n" in makefile
    installs = [line for line in makefile.splitlines() if "$(PIP) install" in line]
    assert installs
    assert all("-c constraints.txt" in line for line in installs)


def test_constraints_cover_every_dependency() -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    wanted = []
    for path in (ROOT / "pyproject.toml", *PLUGINS):
        project = tomllib.loads(path.read_text())
        wanted += [*project["project"]["dependencies"], *project["build-system"]["requires"]]
        for extra in project["project"].get("optional-dependencies", {}).values():
            wanted += extra
    names = {re.split(r"[\[><=~! ]", line, maxsplit=1)[0].lower().replace("_", "-") for line in wanted} - {"lcgen"}
    assert names <= pinned


def test_no_path_of_a_developers_machine() -> None:
    # spelled in pieces, or this file would be found
    pattern = re.compile(r"(?<![\w.])/" + r"(?:home|root|Users|work|tmp)" + r"/\w")
    wrong = []
    for path in repository_files(".py", ".toml", ".md", ".txt", ".cff", ".yml", ".cfg", ".json", ".sh", ""):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if pattern.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not wrong


def test_library_does_not_print() -> None:
    wrong = []
    for path in repository_files(".py"):
        parts = path.relative_to(ROOT).parts
        library = parts[:2] == ("src", "lcgen") or (parts[0] == "plugins" and parts[2] == "src")
        if not library or parts[2] in {"cli", "cli.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                wrong.append(f"{'/'.join(parts)}:{node.lineno}")
    assert not wrong


def test_only_models_import_torch() -> None:
    # datasets: its torch classes alone, which tests/test_datasets.py watches
    allowed = {"model", "latent", "train", "checkpoint", "generator", "datasets"}
    wrong = []
    for path in repository_files(".py"):
        parts = path.relative_to(ROOT).parts
        if parts[:2] != ("src", "lcgen") or parts[2].removesuffix(".py") in allowed:
            continue
        if re.search(r"^\s*(?:import|from) (?:torch|zuko)\b", path.read_text(encoding="utf-8"), re.MULTILINE):
            wrong.append("/".join(parts))
    assert not wrong


def test_links_in_the_documents_lead_somewhere() -> None:
    wrong = []
    for path in repository_files(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
                wrong.append(f"{path.relative_to(ROOT)}: {target}")
    assert not wrong


# Figures


@pytest.fixture(scope="module")
def curves() -> LightCurves:
    """Twelve sinusoids of two classes in two bands, one star without a period, one observation missing."""
    rng = np.random.default_rng(5)
    n_stars, n_obs = 12, 60
    period = rng.uniform(0.3, 3.0, n_stars)
    period[3] = np.nan
    mjd = rng.uniform(0.0, 100.0, (n_stars, n_obs))
    mag = 15.0 + 0.3 * np.sin(2 * np.pi * mjd / np.where(np.isnan(period), 1.0, period)[:, None])
    mag[0, 0] = np.nan
    return LightCurves(
        offsets=np.arange(n_stars + 1) * n_obs,
        mjd=mjd.ravel(),
        mag=mag.ravel(),
        mag_err=np.full(mag.size, 0.02),
        band_index=np.tile(np.array([0, 1], dtype=np.uint8), mag.size // 2),
        band_names=("V", "I"),
        columns={
            "star_id": np.arange(n_stars),
            "class": np.array(["RRLYR", "CEP"] * (n_stars // 2)),
            "subclass": np.array(["RRab", ""] * (n_stars // 2)),
            "period": period,
        },
    )


def drawn(axes: object) -> np.ndarray:
    """Points of all lines of the axes, shape (n, 2)."""
    return np.concatenate([line.get_xydata() for line in axes.get_lines()])  # type: ignore[attr-defined]


def test_folded_curve_shows_two_cycles_and_brighter_is_up(curves: LightCurves) -> None:
    pytest.importorskip("matplotlib")
    lc = curves[1]
    axes = lc.plot()
    x, y = drawn(axes).T
    np.testing.assert_allclose(np.sort(x), np.sort(np.concatenate([lc.phase(), lc.phase() + 1])))
    np.testing.assert_allclose(np.sort(y), np.sort(np.concatenate([lc.mag, lc.mag])))
    assert axes.yaxis_inverted()
    lc.plot(ax=axes)
    assert axes.yaxis_inverted()  # a second curve in the same axes must not turn it back
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"V", "I"}


def test_unfolded_curve_and_missing_period(curves: LightCurves) -> None:
    pytest.importorskip("matplotlib")
    axes = curves[3].plot()  # no period: against time
    np.testing.assert_allclose(np.sort(drawn(axes)[:, 0]), np.sort(curves[3].mjd))
    np.testing.assert_allclose(np.sort(drawn(curves[1].plot(folded=False))[:, 0]), np.sort(curves[1].mjd))
    with pytest.raises(InputError, match="no period"):
        curves[3].plot(folded=True)
    assert np.isfinite(drawn(curves[0].plot())).all()


def test_templates_close_their_cycles() -> None:
    pytest.importorskip("matplotlib")
    from lcgen.plot import plot_templates

    phase = np.arange(32) / 32
    rows = np.array([[0.2], [0.4]]) * np.cos(2 * np.pi * phase)
    axes = plot_templates(phase, rows, values=[1.0, np.nan], values_label="period [d]")
    for line, row in zip(axes.get_lines(), rows, strict=True):
        x, y = line.get_xydata().T
        np.testing.assert_allclose((x[0], x[-1]), (0.0, 2.0))
        np.testing.assert_allclose(y, np.concatenate([row, row, row[:1]]))
    with pytest.raises(InputError, match="n_phase"):
        plot_templates(phase[:5], rows)
    with pytest.raises(InputError, match="values"):
        plot_templates(phase, rows, values=[1.0])


def test_contact_sheet_of_an_ensemble(curves: LightCurves, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    from lcgen.plot import ensemble_contact_sheet

    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        ensemble_contact_sheet(curves, path, per_class=3, seed=seed)
    images = [imread(path) for path in paths]
    assert (images[0] < 0.9).any()
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).any()  # another seed shows other stars
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]


def test_contact_sheet_of_a_file(curves: LightCurves, tmp_path: Path) -> None:
    """The picture of an ensemble file is that of its light curves in memory."""
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    from lcgen.ensemble import EnsembleHeader, EnsembleWriter, open_ensemble
    from lcgen.plot import ensemble_contact_sheet

    header = EnsembleHeader(generator="sinusoids", seed=0, cadence="random")
    with EnsembleWriter(tmp_path / "a.h5", header=header, n_stars=len(curves)) as writer:
        writer.append(curves)
    with open_ensemble(tmp_path / "a.h5") as ensemble:
        ensemble_contact_sheet(ensemble, tmp_path / "file.png", per_class=2)
        ensemble_contact_sheet(ensemble[:], tmp_path / "memory.png", per_class=2)
    np.testing.assert_array_equal(imread(tmp_path / "file.png"), imread(tmp_path / "memory.png"))


def test_contact_sheet_refuses_what_it_cannot_show(curves: LightCurves, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from lcgen.plot import Panel, contact_sheet, ensemble_contact_sheet

    with pytest.raises(InputError, match="no star"):
        ensemble_contact_sheet(curves[3:4], tmp_path / "a.png")
    with pytest.raises(InputError, match="per_class"):
        ensemble_contact_sheet(curves, tmp_path / "a.png", per_class=0)
    with pytest.raises(InputError, match="there is no folder"):
        ensemble_contact_sheet(curves, tmp_path / "nowhere" / "a.png", per_class=1)
    with pytest.raises(InputError, match="at least one panel"):
        contact_sheet([], tmp_path / "a.png", columns=1)
    with pytest.raises(InputError, match="columns"):
        contact_sheet([Panel(title="")], tmp_path / "a.png", columns=0)
    with pytest.raises(InputError, match="panel"):
        contact_sheet([Panel(title="", curves=[([0.1], [1, 2], {})])], tmp_path / "a.png", columns=1)
    assert not list(tmp_path.iterdir())


def test_missing_matplotlib_says_what_to_install(curves: LightCurves, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"lcgen\[plot\]"):
        curves[1].plot()


def test_figures_do_not_load_pyplot() -> None:
    printed = run_python(
        "import sys; from lcgen.plot import plot_templates; plot_templates([0.0, 0.5], [[0.0, 1.0]]); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert printed.strip() == "False"
