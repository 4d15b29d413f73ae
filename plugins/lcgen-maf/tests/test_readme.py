"""The code of the README, as it is written there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("opsim", ["band"], indirect=True)
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_examples_run(
    number: int, opsim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BLOCKS) == 3
    shutil.copy(opsim, tmp_path / "baseline.db")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(BLOCKS[number], f"README.md, block {number}", "exec"), names)
    assert list((tmp_path / "maf").glob("*.npz"))
    if number == 0:
        lines = capsys.readouterr().out.splitlines()
        recovered = next(line.split() for line in lines if line.startswith("PeriodRecovery_RRLYR"))
        assert 0.8 < float(recovered[1]) <= 1.0
        assert recovered[2] == "fraction"
    else:
        assert names["bundle"].metric_values.compressed().size > 0
    if number == 2:
        assert 0.5 < float(capsys.readouterr().out) <= 1.0
