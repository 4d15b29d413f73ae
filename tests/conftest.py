"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _find_data() -> Path | None:
    named = os.environ.get("LCGEN_DATA")
    for candidate in [Path(named)] if named else [ROOT.parent / "shared" / "data"]:
        if (candidate / "lightcurves").is_dir():
            return candidate
    return None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real survey data; skips without it, but never on CI."""
    found = _find_data()
    if found is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("the survey data is missing: set LCGEN_DATA to its folder")
        pytest.skip("needs the real survey data: set LCGEN_DATA to its folder")
    return found
