"""Plugins: real distributions in a folder on the search path, good ones and broken ones, and the page that shows how.

The good ones are those of ``docs/plugins.md``, as they stand there.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

import lcgen
from lcgen import CheckpointError, ConfigError, InputError, PluginError, UnknownNameError
from lcgen.cadence import Cadence, as_cadence, list_cadences, load_recipe
from lcgen.cli import main
from lcgen.export import export_ensemble, list_formats, make_exporter
from lcgen.latent import (
    LatentRegressor,
    LinearRegressor,
    as_regressor,
    list_regressors,
    make_regressor,
    regression_table,
    regressor_from_state,
)
from lcgen.plugins import (
    GROUPS,
    PluginWarning,
    installed_plugins,
    load_plugin,
    load_plugins,
    origin_of,
    plugin_names,
)

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))

Entries = dict[str, dict[str, str]]


def distribution(folder: Path, name: str, version: str, entries: Entries, files: dict[str, str]) -> Path:
    """What an installer leaves behind: the package, and the folder of its metadata."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = (f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in of.items()) for group, of in entries.items())
    (info / "entry_points.txt").write_text("\n".join(groups))
    return folder


def of_the_page(folder: Path) -> Path:
    """The package of the page, installed in a folder."""
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    source = {name: text for name, text in FILES.items() if name.startswith("lcgen_mine/")}
    return distribution(folder, project["name"], project["version"], project["entry-points"], source)


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Path]]:
    """Puts folders on the search path, and forgets the modules that were imported from them."""
    before, folders = set(sys.modules), []

    def put(folder: Path) -> Path:
        folders.append(str(folder))
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield put
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(tuple(folders) or "\0"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return of_the_page(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def mine(site: Path) -> Iterator[ModuleType]:
    """The package of the page, on the search path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("lcgen_mine")


def lcgen_command(*words: object, path: Path, cwd: Path) -> tuple[int, str, str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "lcgen", *map(str, words)]
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


# ---------------------------------------------------------------- the page


def blocks(heading: str, language: str) -> list[str]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found


def test_the_page_runs_as_written(
    mine: ModuleType,
    site: Path,
    shipped_generator: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    said = {}
    for line in "".join(blocks("In use", "sh")).splitlines():
        assert main([*shlex.split(line)[1:], *(["--quiet"] if "--output" in line else [])]) == 0, line
        out, err = capsys.readouterr()
        assert err == "", (line, err)
        said[line.split()[1]] = out
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    for line in shown[1].splitlines():
        assert line.split() in [row.split() for row in said["plugins"].splitlines()]
    assert re.search(r"^robotic +- +from the plugin lcgen-mine 0\.1$", said["cadences"], re.MULTILINE)
    assert re.search(r"^ *cadence +robotic", said["inspect"], re.MULTILINE)
    lines = Path("mine.csv").read_text().splitlines()
    assert re.fullmatch(r"0,ACEP,61\d{3}\.\d{6},[gr],-?\d+\.\d\d,\d\.\d\d", lines[1])
    with lcgen.open_ensemble("mine.h5") as ensemble:
        assert len(lines) == ensemble.n_observations + 1
        assert ensemble.header.provenance["cadence_plugin"] == "lcgen-mine 0.1"
    assert "robotic:every=2" in Path("halved/report.html").read_text()
    for program in (*blocks("In use", "python"), *blocks("Without a package", "python")):
        scope: dict[str, Any] = {}
        exec(compile(program, "docs/plugins.md", "exec"), scope)
    assert Path("again.csv").read_text() == Path("mine.csv").read_text()
    assert re.search(r",-?\d+\.\d{3},\d\.\d{3}$", Path("short.csv").read_text(), re.MULTILINE)


def test_the_format_in_the_listing(mine: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--list"]) == 0
    assert re.search(r"^long-csv +from the plugin lcgen-mine 0\.1$", capsys.readouterr().out, re.MULTILINE)
    assert main(["export", "none.h5", "long-csv", "--list-options", "--option", "digits=2"]) == 0
    assert capsys.readouterr().out == "digits=2\n"
    assert main(["export", "none.h5", "long-csv", "a.csv", "--option", "digit=2"]) == 2
    assert "did you mean 'digits'" in capsys.readouterr().err


# ---------------------------------------------------------------- the contracts that lcgen's own keep


def test_a_cadence_of_a_plugin_keeps_the_contract(mine: ModuleType) -> None:
    contract = importlib.import_module("test_cadence_contract")
    cadence = as_cadence("robotic")
    visits = contract.check(cadence, 150.0, 2.0)
    assert visits.bands == ("g", "r") and 400 < len(visits) < 600
    assert as_cadence("robotic") is cadence  # made once
    assert list_cadences()[-1] == "robotic" and isinstance(cadence, Cadence)
    origin = origin_of(cadence)
    assert origin is not None and (origin.distribution, origin.version) == ("lcgen-mine", "0.1")
    assert origin_of(load_recipe("css")) is None


def test_a_regressor_of_a_plugin_keeps_the_contract(mine: ModuleType) -> None:
    contract = importlib.import_module("test_latent_regressors")
    contract.OPTIONS["neighbours"] = {"k": 3}
    fitted = {"neighbours": make_regressor("neighbours", k=3).fit(*contract.curved_problem(600, 1), seed=1)}
    contract.test_contract("neighbours", fitted)
    contract.test_a_row_does_not_depend_on_the_others("neighbours", fitted)
    assert list_regressors()[-1] == "neighbours"


@pytest.mark.parametrize(
    "name",
    [
        "test_blocks_have_no_influence",
        "test_nothing_is_left_of_a_failure",
        "test_existing_outputs_are_kept_unless_asked",
    ],
)
def test_an_exporter_of_a_plugin_keeps_the_contract(
    name: str, mine: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = importlib.import_module("test_export_rules")
    path = contract.write(tmp_path / "a.h5", contract.curves())
    more = (monkeypatch,) if "failure" in name else ()
    getattr(contract, name)("long-csv", path, tmp_path, *more)
    assert list_formats()[-1] == "long-csv" and make_exporter("long-csv") == make_exporter("long-csv")


# ---------------------------------------------------------------- regressors in training


@pytest.fixture(scope="module")
def trained(mine: ModuleType, small_settings: Callable[..., dict[str, Any]], tmp_path_factory: Any) -> Path:
    """A model trained with the regressor of the page, as the page configures it."""
    latent = tomllib.loads(FILES["mine.toml"])["latent"]
    settings = small_settings(latent={**latent, "table": True})
    settings["training"] = settings["training"] | {"epochs": 1}
    return lcgen.train(settings, output=tmp_path_factory.mktemp("mine"), progress=False)


def test_a_model_with_a_regressor_of_a_plugin(trained: Path) -> None:
    gen = lcgen.load_generator(trained)
    assert gen.regressor.name == "neighbours" and gen.regressor.regressor.k == 7
    assert "| neighbours | with |" in (trained / "card.md").read_text()
    stars = gen.draw("CEP", 6, seed=1)
    curves = stars.template()
    assert np.isfinite(curves).all()
    np.testing.assert_array_equal(gen.draw("CEP", 2, seed=1, first_id=4).template(), curves[4:])  # whatever the batch
    assert len(np.unique(curves.round(9), axis=0)) > 1


def test_a_model_whose_plugin_is_missing(trained: Path, mine: ModuleType, site: Path, tmp_path: Path) -> None:
    cls = type(make_regressor("neighbours"))
    expected = lcgen.load_generator(trained).draw("CEP", 3, seed=1).template()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [p for p in sys.path if p != str(site)])
        with pytest.raises(CheckpointError, match=r"'neighbours' is neither .* It came with lcgen-mine 0\.1"):
            lcgen.load_generator(trained)
        given = lcgen.load_generator(trained, regressors=[LinearRegressor, cls])
        np.testing.assert_array_equal(given.draw("CEP", 3, seed=1).template(), expected)
    code, out, err = lcgen_command("sample", "CEP", "--model", trained, "--times", 60000, path=tmp_path, cwd=tmp_path)
    assert (code, out) == (2, "") and err.count("\n") == 1 and "lcgen-mine 0.1" in err and "lcgen plugins" in err


def test_a_regressor_given_to_a_training(
    mine: ModuleType, small_settings: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    class Unnamed(type(make_regressor("neighbours"))):  # type: ignore[misc]
        name: ClassVar[str] = "unnamed"

    settings = small_settings()
    settings["latent"] = settings["latent"] | {"table": True}
    settings["training"] = settings["training"] | {"epochs": 1}
    mine_own = Unnamed(k=2)
    folder = lcgen.train(settings, output=tmp_path, regressor=mine_own, progress=False)
    assert not hasattr(mine_own, "features")  # a copy was fitted
    assert "| unnamed | with |" in (folder / "card.md").read_text()
    with pytest.raises(
        CheckpointError, match=r"'unnamed' is neither .* load_generator\(model, regressors=\[\.\.\.\]\)"
    ):
        lcgen.load_generator(folder)
    gen = lcgen.load_generator(folder, regressors=[Unnamed])
    assert gen.regressor.regressor.k == 2 and gen.info["config"]["latent"]["kind"] == "unnamed"
    assert np.isfinite(gen.draw("CEP", 3, seed=1).template()).all()
    again = lcgen.load_generator(gen.save(tmp_path / "again"), regressors=[Unnamed])
    np.testing.assert_array_equal(again.draw("CEP", 3, seed=1).template(), gen.draw("CEP", 3, seed=1).template())


def test_a_training_refuses_what_is_no_regressor(
    mine: ModuleType, small_settings: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    def train(regressor: Any = None, **changes: Any) -> None:
        lcgen.train(small_settings(**changes), output=tmp_path / "run", regressor=regressor, progress=False)

    with pytest.raises(InputError, match="int does not fulfil LatentRegressor: it lacks fit, predict"):
        train(3)
    with pytest.raises(ConfigError, match=r"refine\.epochs needs"):
        train(LinearRegressor, refine={"epochs": 1})
    with pytest.raises(ConfigError, match=r"latent\.kind must be one of flow, .*, neighbours, received 'neighbour'"):
        train(latent={"kind": "neighbour"})
    with pytest.raises(ConfigError, match=r"latent\.options: .*neighbours.*'width'"):
        train(latent={"kind": "neighbours", "options": {"width": 1}})
    assert not list(tmp_path.rglob("*.safetensors"))


def test_regressors_are_compared_by_name_class_and_object(mine: ModuleType) -> None:
    contract = importlib.import_module("test_latent_regressors")
    x, y = contract.curved_problem(120, 1)
    cls = type(make_regressor("neighbours"))
    given = ["neighbours", cls, cls(k=5), "linear"]
    table = regression_table(x, y, np.arange(120), regressors=given, seed=1)
    assert [row.regressor for row in table] == ["neighbours"] * 3 + ["linear"]
    assert len({row.rmse_unseen for row in table}) == 2
    assert table.rows[0].r2_unseen > 0.8 > table.rows[3].r2_unseen
    with pytest.raises(InputError, match=r"unknown regressor 'neighbour' .*did you mean 'neighbours'"):
        regression_table(x, y, np.arange(120), regressors=["neighbour"], seed=1)
    with pytest.raises(InputError, match="does not fulfil LatentRegressor"):
        regression_table(x, y, np.arange(120), regressors=[object()], seed=1)  # type: ignore[list-item]


def test_an_object_with_a_name_of_lcgens_own() -> None:
    class Flow(LinearRegressor):
        name: ClassVar[str] = "flow"

    with pytest.raises(InputError, match="has the name 'flow' of another regressor of lcgen"):
        as_regressor(Flow)
    with pytest.raises(InputError, match="the linear object has its own"):
        as_regressor(LinearRegressor(), extra_uniform=False)
    assert isinstance(as_regressor(LinearRegressor, extra_uniform=False), LatentRegressor)


def test_what_a_regressor_may_not_do(mine: ModuleType) -> None:
    """States that cannot be stored, draws of a wrong shape or not finite."""
    from lcgen.latent.adapter import PointSampler, regressor_from_any, regressor_to_state

    base = type(make_regressor("neighbours"))

    class Odd(base):  # type: ignore[misc,valid-type]
        name: ClassVar[str] = "odd"
        arrays: ClassVar[dict[str, Any]] = {}
        factor = 1.0

        def to_state(self) -> Any:
            config, arrays = super().to_state()
            return config, {**arrays, **self.arrays}

        def sample(self, features: Any, uniforms: Any) -> Any:
            return super().sample(features, uniforms)[: len(features) - int(self.factor == 0)] * self.factor

    x = np.random.default_rng(1).normal(size=(30, 4))
    sampler = PointSampler.fit(Odd(k=2), x, x[:, 0], x[:, 1:3], seed=1)
    assert sampler.latent_dim == 2
    config, arrays = regressor_to_state(sampler)
    back = regressor_from_any(config, arrays, known=[Odd])
    np.testing.assert_array_equal(back.sample(x, x[:, :3])[1], sampler.sample(x, x[:, :3])[1])
    with pytest.raises(CheckpointError, match="does not understand what was stored"):
        regressor_from_any({**config, "state": {"name": "odd"}}, arrays, known=[Odd])
    for factor in (np.nan, 0.0):
        sampler.regressor.factor = factor
        with pytest.raises(InputError, match=r"the odd regressor drew latents of shape"):
            sampler.sample(x, x[:, :3])
    sampler.regressor.arrays = {"words": np.array(["a"])}
    with pytest.raises(InputError, match=r"the odd regressor has the array 'words' of type <U1"):
        regressor_to_state(sampler)
    sampler.regressor.k = np.arange(2)
    with pytest.raises(InputError, match="odd regressor cannot be stored as JSON"):
        regressor_to_state(sampler)


# ---------------------------------------------------------------- exporters as objects


def test_an_exporter_must_be_an_object(tmp_path: Path) -> None:
    contract = importlib.import_module("test_export_rules")
    path = contract.write(tmp_path / "a.h5", contract.curves())
    for wrong, words in ((lcgen.export.FitsExporter, "the class FitsExporter"), (object(), "object object")):
        with pytest.raises(InputError, match=rf"such as Mine\(\); received .*{words}"):
            export_ensemble(path, wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- broken ones

REGRESSOR = """
class {cls}:
    name = {name!r}
    def fit(self, features, targets, *, seed): return self
    def predict(self, features): return features
    def sample(self, features, uniforms): return features
    def to_state(self): return {{}}, {{}}
    @classmethod
    def from_state(cls, config, arrays): return cls()
"""
EXPORTER = """
from dataclasses import dataclass
from typing import ClassVar
@dataclass(frozen={frozen})
class {cls}:
    name: ClassVar[str] = {name!r}
    folder: ClassVar[bool] = False
    {field}
    def check(self, ensemble): pass
    def write(self, source, target, name): target.write_text("ok")
"""
CADENCE = """
from lcgen.cadence import from_arrays
good = from_arrays([60000.0, 60001.0], "g", name="good")
def of_nothing(): raise OSError(2, "No such file or directory", "schedule.db")
def of_text(): return "lsst-wfd"
class Lacking:
    name, bands = "lacking", ("g",)
"""
# group, name, attribute of the module, and what is said of it
BROKEN = [
    ("lcgen.cadences", "gone", "{module}_gone:x", r"ModuleNotFoundError: No module named '\w+_gone'"),
    ("lcgen.cadences", "crash", "{module}_crash:x", r"ZeroDivisionError: division by zero"),
    ("lcgen.cadences", "exit", "{module}_exit:x", r"SystemExit: no licence"),
    ("lcgen.cadences", "attribute", "{module}:nothing", r"AttributeError: module '\w+' has no attribute 'nothing'"),
    ("lcgen.cadences", "form", "not a module", r"'not a module' is not of the form module:attribute"),
    ("lcgen.cadences", "file", "{module}:of_nothing", r"FileNotFoundError: .*schedule\.db"),
    ("lcgen.cadences", "text", "{module}:of_text", r"gives an object of type str, which is no cadence: it lacks name"),
    ("lcgen.cadences", "lacking", "{module}:Lacking", r"type Lacking, which is no cadence: it lacks per_star, visits"),
    ("lcgen.regressors", "other", "{module}:Misnamed", r"the name 'mine', and its entry point has 'other'"),
    ("lcgen.regressors", "object", "{module}:good", r"an object of type FixedCadence, not a class that fulfils Latent"),
    ("lcgen.regressors", "half", "{module}:Lacking", r"does not fulfil LatentRegressor: it lacks fit, predict, sample"),
    ("lcgen.exporters", "thawed", "{module}:Thawed", r"the class Thawed, which is no frozen dataclass"),
    ("lcgen.exporters", "needy", "{module}:Needy", r"the class Needy, whose option survey has no default"),
    ("lcgen.exporters", "half", "{module}:Lacking", r"does not fulfil Exporter: it lacks folder, check, write"),
    ("lcgen.plugins", "half", "{module}:good", r"an object of type FixedCadence, not a module"),
]


def broken(folder: Path, module: str) -> Path:
    """A distribution whose plugins all are broken but one of each group."""
    entries: Entries = {group: {} for group in GROUPS}
    for group, name, value, _ in BROKEN:
        entries[group][name] = value.format(module=module)
    entries["lcgen.cadences"]["good"] = f"{module}:good"
    entries["lcgen.regressors"]["good"] = f"{module}:Good"
    entries["lcgen.exporters"]["good"] = f"{module}:GoodFormat"
    entries["lcgen.plugins"]["good"] = module
    source = [
        CADENCE,
        REGRESSOR.format(cls="Good", name="good"),
        REGRESSOR.format(cls="Misnamed", name="mine"),
        EXPORTER.format(cls="GoodFormat", name="good", frozen=True, field="digits: int = 4"),
        EXPORTER.format(cls="Thawed", name="thawed", frozen=False, field="digits: int = 4"),
        EXPORTER.format(cls="Needy", name="needy", frozen=True, field="survey: str"),
    ]
    files = {
        f"{module}.py": "\n".join(source),
        f"{module}_crash.py": "1 / 0\n",
        f"{module}_exit.py": "raise SystemExit('no licence')\n",
    }
    return distribution(folder, f"lcgen-{module}", "2.0", entries, files)


def test_broken_plugins_stop_no_others(tmp_path: Path, on_path: Callable[[Path], Path]) -> None:
    on_path(broken(tmp_path, "shards"))
    assert {(p.group, p.name) for p in installed_plugins()} >= {(group, name) for group, name, *_ in BROKEN}
    assert all(p.error is None for p in installed_plugins())
    assert "shards" not in sys.modules
    for group in GROUPS:
        with pytest.warns(PluginWarning) as seen:
            works = load_plugins(group)
        assert "good" in works and "form" not in works
        texts = [str(w.message) for w in seen if "lcgen-shards 2.0" in str(w.message)]
        expected = {name: words for g, name, _, words in BROKEN if g == group}
        assert len(texts) == len(expected)
        for name, words in expected.items():
            said = [t for t in texts if t.startswith(f"the {GROUPS[group]} {name!r} of lcgen-shards 2.0 (")]
            assert len(said) == 1 and re.search(words, said[0]) and said[0].endswith("it is skipped")
        load_plugins(group)  # said once: a second warning would be an error
    assert as_cadence("good").visits().bands == ("g",)
    assert make_regressor("good").name == make_exporter("good", {"digits": "3"}).name == "good"


@pytest.mark.parametrize(("group", "name", "value", "words"), BROKEN)
def test_who_asks_for_a_broken_plugin_is_told_why(
    group: str, name: str, value: str, words: str, tmp_path: Path, on_path: Callable[[Path], Path]
) -> None:
    on_path(broken(tmp_path, "shreds"))
    ask: dict[str, Callable[[str], Any]] = {
        "lcgen.cadences": as_cadence,
        "lcgen.regressors": make_regressor,
        "lcgen.exporters": make_exporter,
        "lcgen.plugins": lambda name: load_plugin("lcgen.plugins", name),
    }
    with pytest.raises(PluginError, match=words) as caught:
        ask[group](name)
    where = value.format(module="shreds")
    assert str(caught.value).startswith(f"the {GROUPS[group]} {name!r} of lcgen-shreds 2.0 ({where}) cannot be used: ")
    assert "\n" not in str(caught.value)
    if group == "lcgen.regressors":
        with pytest.raises(PluginError, match=words):
            regressor_from_state({"name": name}, {})


def test_the_command_lists_broken_ones(tmp_path: Path) -> None:
    site = broken(tmp_path / "site", "splinters")
    loud = "import warnings\nprint('noise')\nwarnings.warn('noise')\n"  # of others: no part of the table
    (site / "splinters.py").write_text(loud + (site / "splinters.py").read_text())
    code, out, err = lcgen_command("plugins", path=site, cwd=tmp_path)
    assert (code, err) == (0, "") and "noise" not in out
    rows = [re.split(r" {2,}", line, maxsplit=4) for line in out.splitlines()]
    assert rows[0] == ["group", "name", "distribution", "version", "status"]
    found = {(row[0], row[1]): row[4] for row in rows[1:] if row[2:4] == ["lcgen-splinters", "2.0"]}
    assert len(found) == len(BROKEN) + 4
    for group, name, _, words in BROKEN:
        assert re.search(words, found[group, name]), (name, found[group, name])
    assert [found[group, "good"] for group in GROUPS] == ["ok"] * 4


def test_the_command_line_with_a_broken_plugin(tmp_path: Path) -> None:
    site = broken(tmp_path / "site", "crumbs")
    distribution(site, "lcgen-copy", "1.0", {"lcgen.cadences": {"css": "crumbs:good", "good": "crumbs_crash:x"}}, {})
    code, out, err = lcgen_command("sample", "RRLYR", "--cadence", "crash", path=site, cwd=tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "the cadence 'crash' of lcgen-crumbs 2.0 (crumbs_crash:x) cannot be used: ZeroDivisionError" in err
    # a hidden plugin is a warning in one line, and the command goes on with lcgen's own
    code, out, err = lcgen_command("sample", "RRLYR", "--cadence", "css", path=site, cwd=tmp_path)
    assert code == 0 and out.count(",V,") > 100
    hidden = "the cadence 'css' of lcgen-copy 1.0 (crumbs:good) is not used: 'css' is a name of lcgen's own"
    assert err == f"lcgen: warning: {hidden}, which comes first\n"


# ---------------------------------------------------------------- names


def test_lcgens_own_names_come_first(tmp_path: Path, on_path: Callable[[Path], Path]) -> None:
    folder = broken(tmp_path, "taken")
    entries = {
        "lcgen.cadences": {"lsst-wfd": "taken:good"},
        "lcgen.regressors": {"linear": "taken:Good", "flow": "taken:Good"},
        "lcgen.exporters": {"fits": "taken:GoodFormat"},
    }
    on_path(distribution(folder, "lcgen-taker", "1.0", entries, {}))
    for group, of in entries.items():
        assert not set(of) & set(plugin_names(group))
        for name in of:
            with pytest.raises(PluginError, match="is a name of lcgen's own, which comes first"), pytest.warns():
                load_plugin(group, name)


def test_lcgens_own_names_are_given_with_a_warning(tmp_path: Path, on_path: Callable[[Path], Path]) -> None:
    entries = {
        "lcgen.cadences": {"lsst-wfd": "robber:a"},
        "lcgen.regressors": {"linear": "robber:b"},
        "lcgen.exporters": {"fits": "robber:c"},
    }
    on_path(distribution(tmp_path, "lcgen-robber", "1.0", entries, {}))
    with pytest.warns(PluginWarning, match=r"'lsst-wfd' of lcgen-robber 1\.0 .* a name of lcgen's own"):
        assert as_cadence("lsst-wfd") == load_recipe("lsst-wfd")
    with pytest.warns(PluginWarning, match=r"'linear' of lcgen-robber 1\.0 "):
        assert isinstance(make_regressor("linear"), LinearRegressor)
    with pytest.warns(PluginWarning, match=r"'fits' of lcgen-robber 1\.0 "):
        assert isinstance(make_exporter("fits"), lcgen.export.FitsExporter)
    as_cadence("lsst-wfd")  # warned once


def test_of_two_plugins_with_one_name_the_first_is_taken(tmp_path: Path, on_path: Callable[[Path], Path]) -> None:
    source = "from lcgen.cadence import from_arrays\nx = from_arrays([{mjd}], 'g', name='{name}')\n"
    for name, mjd in (("zeta", 60000.0), ("alpha", 61000.0)):
        files = {f"twins_{name}.py": source.format(mjd=mjd, name=name)}
        distribution(tmp_path, f"lcgen-{name}", "1.0", {"lcgen.cadences": {"twin": f"twins_{name}:x"}}, files)
    on_path(tmp_path)
    words = r"'twin' of lcgen-zeta 1\.0 \(twins_zeta:x\) is not used: the cadence 'twin' of lcgen-alpha 1\.0 .* first"
    with pytest.warns(PluginWarning, match=words):
        assert as_cadence("twin").name == "alpha"
    assert "twins_zeta" not in sys.modules
    assert plugin_names("lcgen.cadences").count("twin") == 1
    assert [p.error is None for p in installed_plugins("lcgen.cadences") if p.name == "twin"] == [True, False]


def test_unknown_names_list_plugins_too(tmp_path: Path, on_path: Callable[[Path], Path]) -> None:
    on_path(broken(tmp_path, "listed"))
    for ask, name in ((as_cadence, "goood"), (make_regressor, "goood"), (make_exporter, "goood")):
        with pytest.raises(
            UnknownNameError, match=r"did you mean 'good'.*allowed: .*(css|linear|fits).*good"
        ) as caught:
            ask(name)
        assert caught.value.__cause__ is None
    with pytest.raises(UnknownNameError, match="good is the cadence of a plugin: as_cadence gives it"):
        load_recipe("good")
    with pytest.raises(UnknownNameError, match=r"unknown group of plugins 'lcgen\.cadence'"):
        installed_plugins("lcgen.cadence")
    with pytest.raises(UnknownNameError, match="unknown package 'maff'"):
        load_plugin("lcgen.plugins", "maff")


def test_what_is_installed_meanwhile_is_found(tmp_path: Path, on_path: Callable[[Path], Path]) -> None:
    on_path(tmp_path)
    with pytest.raises(UnknownNameError):
        as_cadence("later")
    source = "from lcgen.cadence import from_arrays\nx = from_arrays([60000.0], 'g')\n"
    distribution(tmp_path, "lcgen-later", "1.0", {"lcgen.cadences": {"later": "later_plugin:x"}}, {})
    (tmp_path / "later_plugin.py").write_text(source)
    os.utime(tmp_path, (1, 1))  # folders are read again where their time has changed, which may take a second
    importlib.invalidate_caches()
    assert as_cadence("later").bands == ("g",)


def test_damaged_metadata(tmp_path: Path, on_path: Callable[[Path], Path]) -> None:
    folder = broken(tmp_path, "sound")
    for name, text in (("nameless", "[lcgen.cadences]\na = b:c\n"), ("garbled", "[lcgen.cadences]\nno equals sign\n")):
        info = folder / f"lcgen_{name}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(text)
        (info / "METADATA").write_text(
            "Version: 1.0\n" if name == "nameless" else f"Name: lcgen-{name}\nVersion: 1.0\n"
        )
    with pytest.warns(PluginWarning) as seen:
        on_path(folder)
        assert "good" in plugin_names("lcgen.cadences")
    texts = sorted(str(w.message) for w in seen)
    assert len(texts) == 2
    assert re.search(r"lcgen_garbled-1\.0\.dist-info cannot be read, it is skipped: ", texts[0])
    assert re.search(r"lcgen_nameless-1\.0\.dist-info cannot be read, .* no name", texts[1])


# ---------------------------------------------------------------- nothing is imported before its time


def test_nothing_is_imported_before_it_is_asked_for(site: Path, tmp_path: Path) -> None:
    folder = broken(tmp_path / "site", "early")
    program = """
import sys, lcgen
from lcgen.cli import main
lcgen.as_cadence("lsst-wfd").visits()
from lcgen.plugins import installed_plugins
installed_plugins()
main(["cadences"]), main(["export", "--list"]), main(["export", "--help"])
try:
    lcgen.as_cadence("nothing-of-that-name")
except lcgen.UnknownNameError:
    pass
assert not {"early", "early_crash", "lcgen_mine", "torch"} & set(sys.modules)
lcgen.as_cadence("robotic")
assert "lcgen_mine.cadence" in sys.modules
assert not {"early", "early_crash", "lcgen_mine.exporter", "lcgen_mine.regressor", "torch"} & set(sys.modules)
main(["plugins"])
assert {"early", "lcgen_mine.exporter", "lcgen_mine.regressor"} <= set(sys.modules)
assert "torch" not in sys.modules
"""
    path = os.pathsep.join([str(site), str(folder)])
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_import_of_lcgen_looks_for_no_plugins() -> None:
    program = "import sys, lcgen, lcgen.plugins, lcgen.cli; print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, env=_source_path())
    assert done.stdout == "False\n", done.stderr


def _source_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(str(lcgen.__file__)).parent.parent)}
