"""Where bundled data lie, and that what is loaded is what was recorded."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcgen import assets
from lcgen.errors import CheckpointError, DataError, InputError, IntegrityError, UnknownNameError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def model_root(tmp_path: Path) -> Path:
    """A folder of models with two entries, the second the default."""
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(f'{{"name": "{name}"}}')
        (folder / "weights.safetensors").write_bytes(name.encode() * 1000)
        (folder / "card.md").write_text("# card")
        assets.write_manifest_entry(folder, description=f"The {name}.", default=True, root=tmp_path)
    return tmp_path


@pytest.fixture
def bundled(model_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same models, as if they were the bundled ones."""
    monkeypatch.setattr(assets, "data_folder", lambda kind: model_root)
    return model_root


def test_manifest_lists_what_was_entered(model_root: Path) -> None:
    first, second = assets.list_models(model_root)
    assert (first.name, first.default, second.name, second.default) == ("first", False, "second", True)
    assert first.folder == model_root / "first"
    assert first.description == "The first."
    expected = hashlib.sha256(b"first" * 1000).hexdigest()
    assert first.sha256["weights.safetensors"] == expected
    assert set(first.sha256) == {"config.json", "weights.safetensors"}  # the card may be edited


def test_entering_again_replaces(model_root: Path) -> None:
    (model_root / "first" / "config.json").write_text("{}")
    assets.write_manifest_entry(model_root / "first", description="Anew.", root=model_root)
    models = {m.name: m for m in assets.list_models(model_root)}
    assert len(models) == 2
    assert models["first"].description == "Anew."
    assert models["second"].default
    assets.verify(model_root / "first", models["first"].sha256)


@given(description=st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_description_survives(description: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("models")
    (root / "m").mkdir()
    (root / "m" / "config.json").write_text("{}")
    assets.write_manifest_entry(root / "m", description=description, root=root)
    assert assets.list_models(root)[0].description == description


def test_changed_file_is_refused(model_root: Path) -> None:
    entry = assets.list_models(model_root)[0]
    assets.verify(entry.folder, entry.sha256)
    weights = entry.folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        assets.verify(entry.folder, entry.sha256)
    message = str(caught.value)
    assert str(weights) in message
    assert entry.sha256["weights.safetensors"] in message
    assert hashlib.sha256(content).hexdigest() in message


def test_missing_file_is_refused(model_root: Path) -> None:
    entry = assets.list_models(model_root)[0]
    (entry.folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        assets.verify(entry.folder, entry.sha256)


def test_find_by_name_path_and_default(bundled: Path) -> None:
    assert assets.find_model().name == "second"
    assert assets.find_model("first").folder == bundled / "first"
    by_path = assets.find_model(bundled / "first")
    assert by_path.folder == bundled / "first"
    assert not by_path.sha256
    assert assets.find_model(str(bundled / "first")) == by_path


def test_unknown_model_lists_the_known(bundled: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'first'.*allowed: first, second"):
        assets.find_model("frist")
    with pytest.raises(CheckpointError, match="not the folder of a model"):
        assets.find_model(bundled / "nothing")


def test_no_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "data_folder", lambda kind: tmp_path)
    assert assets.list_models() == ()
    with pytest.raises(CheckpointError, match="no model is bundled"):
        assets.find_model()


_GOOD = '[[model]]\nname = "a"\nfolder = "a"\n[model.sha256]\n"config.json" = "' + "0" * 64 + '"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[model]\n", "cannot be read"),
        ("surprise = 1\n", "unknown key 'surprise'"),
        ("model = 3\n", "array of tables"),
        ("model = [3]\n", "must be a table"),
        (_GOOD.replace("[model.sha256]", 'colour = "red"\n[model.sha256]'), "unknown key 'colour'"),
        (_GOOD.replace('name = "a"\n', ""), "name is missing"),
        (_GOOD.replace('name = "a"', "name = 7"), "name must be of type str"),
        (_GOOD.replace('folder = "a"', 'folder = "../a"'), "beside the manifest"),
        (_GOOD.replace('"config.json"', '"../config.json"'), "in the folder of the model"),
        (_GOOD.replace("0" * 64, "abc"), "64 hex digits"),
        (_GOOD + _GOOD, "two models are called 'a'"),
        (
            _GOOD.replace("[model.sha256]", "default = true\n[model.sha256]")
            + _GOOD.replace('"a"', '"b"').replace("[model.sha256]", "default = true\n[model.sha256]"),
            "more than one default",
        ),
    ],
)
def test_malformed_manifest(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / assets.MANIFEST).write_text(text)
    with pytest.raises(CheckpointError, match=reason) as caught:
        assets.list_models(tmp_path)
    assert str(tmp_path / assets.MANIFEST) in str(caught.value)


def test_good_manifest_of_the_malformed_ones_is_good(tmp_path: Path) -> None:
    (tmp_path / assets.MANIFEST).write_text(_GOOD)
    assert [m.name for m in assets.list_models(tmp_path)] == ["a"]


def test_entry_must_lie_inside(model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "config.json").write_text("{}")
    with pytest.raises(InputError, match="inside"):
        assets.write_manifest_entry(elsewhere, description="", root=model_root)
    (model_root / "empty").mkdir()
    with pytest.raises(InputError, match="no file to load"):
        assets.write_manifest_entry(model_root / "empty", description="", root=model_root)


def test_atomic_file_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), assets.atomic_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]
    with assets.atomic_file(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]
    with pytest.raises(InputError, match="there is no folder"), assets.atomic_file(tmp_path / "no" / "a"):
        pass


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        assets.sha256_of(tmp_path / "nothing")


def test_unknown_kind() -> None:
    with pytest.raises(UnknownNameError, match="allowed: cadences, pretrained"):
        assets.data_folder("weights")


def test_bundled_models_are_what_was_recorded() -> None:
    """Whatever this installation ships: one default, and every file as its manifest says."""
    models = assets.list_models()
    assert sum(model.default for model in models) == 1
    for model in models:
        assets.verify(model.folder, model.sha256)
        assert (model.folder / "card.md").is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this source tree, unpacked."""
    if not os.environ.get("CI"):
        pytest.importorskip("hatchling", reason="building a wheel needs hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("lcgen-*.whl")
    zipfile.ZipFile(path).extractall(folder / "site")
    return folder / "site"


def test_wheel_brings_its_data(wheel: Path) -> None:
    program = (
        "from lcgen import assets; "
        "print(assets.data_folder('cadences')); print(assets.data_folder('pretrained')); "
        "[assets.verify(m.folder, m.sha256) for m in assets.list_models()]; print(len(assets.list_models()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=wheel,
        check=True,
        capture_output=True,
        text=True,
    )
    cadences, pretrained, n_models = done.stdout.split()
    assert Path(cadences) == wheel / "lcgen" / "_data" / "cadences"
    assert Path(pretrained) == wheel / "lcgen" / "_data" / "pretrained"
    assert int(n_models) == len(assets.list_models())
    recipes = {path.name for path in (ROOT / "cadences").glob("*.toml")}
    assert recipes == {path.name for path in Path(cadences).glob("*.toml")}
    assert recipes
    assert (wheel / "lcgen" / "py.typed").is_file()


def test_wheel_names_its_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"plot", "parquet", "pandas"} <= set(project["optional-dependencies"])
