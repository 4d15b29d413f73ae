"""Training in several processes, and in mixed precision."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import lcgen
from lcgen import ConfigError
from lcgen.train import loop as training_loop
from lcgen.train import read_config, train
from lcgen.train.tune_space import to_toml

Settings = Callable[..., dict[str, Any]]

# What torchrun starts: the command of a user, but that the weights of each process are kept, and that the second run
# is interrupted in its second epoch and started again.
WORKER = """
import os, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from lcgen.cli import main
from lcgen.train import loop

torch.set_num_threads(1)
config, out = sys.argv[1], Path(sys.argv[2])
fit, average, steps = loop.fit_network, loop._update_average, []

def kept(model, *arguments, **options):
    best = fit(model, *arguments, **options)
    save_file(model.state_dict(), out / f"rank-{os.environ['RANK']}.safetensors")
    return best

def torn(*arguments):
    steps.append(0)
    if len(steps) == 8:
        raise KeyboardInterrupt
    average(*arguments)

loop.fit_network = kept
if code := main(["train", config, "--output", str(out / "whole"), "--quiet"]):
    sys.exit(code)
loop._update_average = torn
codes = [main(["train", config, "--output", str(out / "cut"), "--quiet"]) for _ in range(2)]
sys.exit(0 if codes == [130, 0] else 1)
"""


def _launch(*words: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(str(lcgen.__file__)).parent.parent)
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)


def _log(run: Path) -> list[dict[str, str]]:
    with open(run / "log.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_two_processes_train_one_model(small_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(to_toml(read_config(small_settings())))
    (tmp_path / "worker.py").write_text(WORKER)
    done = _launch("--nproc-per-node=2", *(str(tmp_path / n) for n in ("worker.py", "config.toml", "")))
    assert done.returncode == 0, done.stderr
    weights = [load_file(tmp_path / f"rank-{k}.safetensors") for k in (0, 1)]
    for name, value in weights[0].items():
        assert value.tobytes() == weights[1][name].tobytes(), name
    runs = [tmp_path / name for name in ("whole", "cut")]
    for run in runs:
        assert len([p for p in run.iterdir() if p.is_dir()]) == 1
        assert not list(run.glob(".*"))
        losses = [float(row["validation_loss"]) for row in _log(run)]
        assert len(losses) == 3 and losses[-1] < losses[0]
        assert np.isfinite(lcgen.load_generator(run / "model").draw("CEP", 4, seed=1).template()).all()
    assert _log(runs[0]) == _log(runs[1])
    shipped = [load_file(run / "model" / "weights.safetensors") for run in runs]
    for name, value in shipped[0].items():
        assert value.tobytes() == shipped[1][name].tobytes(), name


@pytest.fixture(scope="module")
def alone(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("alone")
    train(small_settings(), output=run, progress=False)
    return run


def test_a_world_of_one_is_no_world(
    alone: Path, small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", "29500")
    train(small_settings(), output=tmp_path, progress=False)
    a, b = ((run / "model" / "weights.safetensors").read_bytes() for run in (alone, tmp_path))
    assert a == b
    assert _log(alone) == _log(tmp_path)


def test_a_batch_is_shared_equally() -> None:
    world = training_loop.World(rank=1, size=4)
    assert world.share(64) == 16 and not world.first
    with pytest.raises(ConfigError, match=r"training\.batch_size must be a multiple of the 4 processes"):
        world.share(66)


def test_the_package_is_a_command() -> None:
    done = subprocess.run([sys.executable, "-m", "lcgen", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("lcgen ")


# ---------------------------------------------------------------------- precision
def test_bfloat16_trains_about_the_same_model(alone: Path, small_settings: Settings, tmp_path: Path) -> None:
    settings = small_settings()
    settings["training"] = settings["training"] | {"precision": "bfloat16"}
    train(settings, output=tmp_path, progress=False)
    a, b = (float(_log(run)[-1]["validation_loss"]) for run in (alone, tmp_path))
    assert a != b
    assert b == pytest.approx(a, rel=0.1)
    stored = load_file(tmp_path / "model" / "weights.safetensors")
    assert {v.dtype for k, v in stored.items() if k.startswith("model.")} == {np.dtype(np.float32)}


def test_only_the_networks_are_rounded(alone: Path) -> None:
    """What enters the loss is float32, with values rounded as bfloat16 rounds."""
    import torch

    model = lcgen.load_generator(alone / "model").model.train()
    decoder = model.decoder
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(8, model.latent_dim, generator=generator)
    condition = torch.randn(8, decoder.n_condition, generator=generator)
    exact = decoder(z, condition)
    training_loop._lower_precision(model, torch.device("cpu"))
    rounded = model.decode(z, condition)
    assert exact.dtype == rounded.dtype == torch.float32
    error = float((rounded - exact).detach().square().mean().sqrt() / exact.detach().std())
    assert 1e-5 < error < 0.05
    rounded.square().sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in decoder.parameters())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"training": {"precision": "float16"}}, r"training\.precision must be"),
        ({"training": {"precision": "bfloat16"}, "model": {"kind": "published"}}, "read phases"),
    ],
)
def test_a_precision_that_cannot_be(changes: dict[str, Any], named: str, small_settings: Settings) -> None:
    with pytest.raises(ConfigError, match=named):
        read_config(small_settings(**changes))


def test_a_run_from_before_an_option_existed_goes_on(alone: Path, small_settings: Settings, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(alone, run)
    stored = json.loads((run / "run.json").read_text())
    del stored["training"]["precision"]
    (run / "run.json").write_text(json.dumps(stored))
    train(small_settings(), output=run, progress=False)
    assert json.loads((run / "run.json").read_text())["training"]["precision"] == "float32"
    with pytest.raises(ConfigError, match="another configuration"):
        train(small_settings(seed=5), output=run, progress=False)
