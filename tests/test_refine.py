"""The learned prior: it raises the bound, and an interrupted refinement goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

import lcgen
from lcgen import CheckpointError, ConfigError
from lcgen.train import read_config, train
from lcgen.train import refine as refinement

Settings = Callable[..., dict[str, Any]]


class _PowerCutError(Exception):
    """Stands for whatever ends a process."""


def test_the_common_bound_gets_better(small_settings: Settings, tmp_path: Path) -> None:
    """On stars of the validation set, by the same draws before and after."""
    refine = {"epochs": 6, "learning_rate": 3e-3}
    train(small_settings(refine=refine), output=tmp_path / "refined", progress=False)
    losses = lcgen.load_generator(tmp_path / "refined" / "model").info["report"]["refinement"]
    assert len(losses) == 7
    assert min(losses) < losses[0] - 1.0
    train(small_settings(), output=tmp_path / "plain", progress=False)
    assert lcgen.load_generator(tmp_path / "plain" / "model").info["report"]["refinement"] is None


def test_an_interrupted_refinement_goes_on_bit_for_bit(
    small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small_settings(refine={"epochs": 2})
    train(settings, output=tmp_path / "undisturbed", progress=False)
    validate, calls = refinement._validate, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(0)
        if len(calls) > 2:  # before the first epoch, after it
            raise _PowerCutError
        return validate(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(refinement, "_validate", interrupted)
        with pytest.raises(_PowerCutError):
            train(settings, output=tmp_path / "cut", progress=False)
    assert not (tmp_path / "cut" / "model").exists()
    train(settings, output=tmp_path / "cut", progress=False)
    one, two = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("undisturbed", "cut"))
    assert one.keys() == two.keys()
    for name in one:
        assert one[name].tobytes() == two[name].tobytes(), name


def test_a_damaged_checkpoint_is_named(small_settings: Settings, tmp_path: Path) -> None:
    train(small_settings(refine={"epochs": 1}), output=tmp_path, progress=False)
    (tmp_path / "refine.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match=r"refine\.safetensors"):
        train(small_settings(refine={"epochs": 1}), output=tmp_path, progress=False)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"refine": {"epochs": -1}}, r"refine\.epochs"),
        ({"refine": {"epochs": 1, "learning_rate": 0.0}}, r"refine\.learning_rate"),
        ({"refine": {"epochs": 1}, "latent": {"kind": "linear"}}, r"latent\.kind 'flow'"),
        ({"refine": {"epochs": 1}, "model": {"kind": "published"}}, r"model\.kind 'periodic'"),
    ],
)
def test_a_bad_configuration_names_the_key(small_settings: Settings, changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        read_config(small_settings(**changes))
