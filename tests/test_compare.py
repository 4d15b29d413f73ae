"""Comparisons of cadences from end to end."""

from __future__ import annotations

import html.parser
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lcgen
from lcgen import InputError, UnknownNameError
from lcgen.cli import main
from lcgen.compare import Comparison, Settings

QUICK = Settings(min_period=0.2, max_period=100.0, oversampling=3, n_trees=30, n_boot=300, engine="astropy")
SHORT = ("lsst-wfd", "lsst-wfd:every=2")


@pytest.fixture(scope="module")
def thinned(shipped_generator: Any) -> Comparison:
    return lcgen.compare(
        SHORT,
        generator=shipped_generator,
        classes=["RRLYR", "CEP"],
        n_per_class=30,
        seed=3,
        mean_mag=(22.5, 25.5),
        settings=QUICK,
        progress=False,
    )


def _same(a: Comparison, b: Comparison) -> bool:
    def text(table: Any) -> list[str]:
        return [str(row) for row in table.as_array().tolist()]

    return text(a.table) == text(b.table) and text(a.stars) == text(b.stars) and a.info == b.info


def test_half_the_visits_come_out_worse(thinned: Comparison) -> None:
    assert max(thinned.difference("gap", cls).n_sigma for cls in thinned.classes) > 3
    assert thinned.difference("gap").n_sigma > 3
    assert thinned.difference("recovered").value <= 0
    assert thinned.level("n_obs", cadence=SHORT[1]).value == pytest.approx(0.5 * thinned.level("n_obs").value, rel=0.02)


def test_pairing_pays(thinned: Comparison) -> None:
    for quantity in ("coverage", "gap", "recovered"):
        change = thinned.difference(quantity)
        assert change.error < change.unpaired_error


def test_same_stars_under_each_cadence(thinned: Comparison) -> None:
    stars = thinned.stars
    halves = [stars[np.asarray(stars["cadence"]) == c] for c in thinned.cadences]
    for name in ("star_id", "class", "period", "mean_mag", "amplitude_r", "mean_r"):
        assert np.array_equal(np.asarray(halves[0][name]), np.asarray(halves[1][name]))
    assert np.min(stars["mean_mag"]) >= 22.5 and np.max(stars["mean_mag"]) <= 25.5


def test_table_is_the_summary_of_the_stars(thinned: Comparison) -> None:
    stars = thinned.stars
    rows = stars[(np.asarray(stars["cadence"]) == SHORT[1]) & (np.asarray(stars["class"]) == "RRLYR")]
    assert thinned.level("recovered", "RRLYR", SHORT[1]).value == pytest.approx(np.mean(rows["kind"] == "true"))
    assert thinned.level("coverage", "RRLYR", SHORT[1]).value == pytest.approx(np.mean(rows["coverage"]))
    right = np.abs(np.asarray(rows["found_period"]) / np.asarray(rows["period"]) - 1.0) <= 1e-3
    assert np.array_equal(right, np.asarray(rows["kind"]) == "true")
    kinds = [thinned.level(f"kind_{k}", "CEP", SHORT[0]).value for k in np.unique(np.asarray(stars["kind"]))]
    assert sum(kinds) == pytest.approx(1.0)


def test_macro_f1_is_that_of_scikit_learn(thinned: Comparison) -> None:
    from sklearn.metrics import f1_score

    rows = thinned.stars[np.asarray(thinned.stars["cadence"]) == SHORT[0]]
    expected = f1_score(np.asarray(rows["class"]), np.asarray(rows["predicted_class"]), average="macro")
    assert thinned.level("f1").value == pytest.approx(expected)


def test_number_of_tests_is_that_of_the_table(thinned: Comparison) -> None:
    sigma = np.asarray(thinned.table["n_sigma"], dtype=float)
    tests = thinned.info["tests"]
    assert tests["tested"] == np.isfinite(sigma).sum()
    assert tests["expected_by_chance"] == pytest.approx(0.0026998 * tests["tested"], abs=0.01)
    assert tests["beyond_3_sigma"] == np.sum(np.abs(sigma[np.isfinite(sigma)]) > 3)


def test_one_cadence_alone_has_no_differences(shipped_generator: Any) -> None:
    alone = lcgen.compare(
        "css", generator=shipped_generator, classes="RRLYR", n_per_class=20, seed=1, mean_mag=15.0, noise="CSS",
        settings=QUICK, progress=False,
    )  # fmt: skip
    assert alone.level("recovered", "RRLYR").n == 20
    assert not np.isfinite(np.asarray(alone.table["n_sigma"])).any()
    assert alone.info["tests"]["tested"] == 0
    with pytest.raises(UnknownNameError, match="cadence"):
        alone.difference("recovered")


def test_saved_and_loaded(thinned: Comparison, tmp_path: Path) -> None:
    thinned.save(tmp_path / "saved")
    again = lcgen.compare.load(tmp_path / "saved")
    assert _same(again, thinned)
    assert str(again.table["period_low"].unit) == "d"
    with pytest.raises(UnknownNameError, match="quantity"):
        again.rows("recoverd")


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [str(v) for k, v in attrs if k in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_is_one_file_that_says_what_was_done(thinned: Comparison, tmp_path: Path) -> None:
    text = thinned.to_html(tmp_path / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.sources and all(s.startswith("data:image/png;base64,") for s in page.sources)
    for words in ("seed 3", "between 22.5 and 25.5", "expected by chance", "VanderPlas", "periodic-vi-2", "<h2>Limits"):
        assert words in text


class _Stops:
    """A generator that is interrupted after some blocks."""

    def __init__(self, generator: Any, blocks: int) -> None:
        self._generator, self._left = generator, blocks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def draw(self, *args: Any, **options: Any) -> Any:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        return self._generator.draw(*args, **options)


def test_interrupted_run_goes_on_and_gives_the_same(shipped_generator: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        **{"classes": "RRLYR", "n_per_class": 60, "seed": 2, "mean_mag": 22.0, "progress": False},
        "settings": QUICK,
    }
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    with pytest.raises(KeyboardInterrupt):
        lcgen.compare("css:every=3", generator=_Stops(shipped_generator, 2), noise=None, output=cut, **options)
    assert len(list((cut / "blocks").glob("*.npz"))) == 2
    with pytest.raises(InputError, match=r"another comparison.*seed: 2 there, 5 asked for"):
        lcgen.compare("css:every=3", generator=shipped_generator, noise=None, output=cut, **(options | {"seed": 5}))
    # the two blocks that are there are not drawn again
    lcgen.compare("css:every=3", generator=_Stops(shipped_generator, 1), noise=None, output=cut, **options)
    lcgen.compare("css:every=3", generator=shipped_generator, noise=None, output=whole, **options)
    for name in ("table.ecsv", "stars.ecsv", "comparison.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    assert not (cut / "blocks").exists()
    # a finished one is returned as it is
    again = lcgen.compare("css:every=3", generator=_Stops(shipped_generator, 0), noise=None, output=cut, **options)
    assert again.info["n_stars"] == 60


def test_folder_with_other_files_is_refused(shipped_generator: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="not empty"):
        lcgen.compare("css", generator=shipped_generator, n_per_class=20, noise=None, output=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cadences": []}, "nothing to compare"),
        ({"workers": 0}, "workers"),
        ({"noise": ["depth", "depth", "depth"]}, "noise is for 3"),
        ({"mean_mag": (24.0, 20.0)}, "mean_mag"),
        ({"mean_mag": 20.0, "params": {"distance": 1000.0}}, "mean_mag"),
        ({"classes": "RRLYRAE"}, "unknown class"),
        ({"n_per_class": 0}, "n_per_class"),
    ],
)
def test_wrong_arguments_are_named(shipped_generator: Any, options: dict[str, Any], message: str) -> None:
    arguments = {"cadences": SHORT, "generator": shipped_generator} | options
    with pytest.raises(InputError, match=message):
        lcgen.compare(arguments.pop("cadences"), **arguments)


def test_command_line_with_workers_gives_what_the_function_gives(tmp_path: Path, capsys: Any) -> None:
    words = ["css", "css:every=2", "--classes", "RRLYR", "CEP", "--per-class", "13", "--seed", "4", "--mean-mag", "15"]
    words += ["--noise", "CSS", "--periods", "0.2", "50", "--engine", "astropy", "--quiet"]
    assert main(["compare", *words, "--workers", "2", "--output", str(tmp_path / "two")]) == 0
    text = capsys.readouterr().out
    assert "period recovered" in text and "report.html" in text
    one = lcgen.compare(
        ["css", "css:every=2"],
        classes=["RRLYR", "CEP"],
        n_per_class=13,
        seed=4,
        mean_mag=15.0,
        noise="CSS",
        settings=Settings(min_period=0.2, max_period=50.0, engine="astropy"),
        progress=False,
    )
    two = lcgen.compare.load(tmp_path / "two")
    assert {**two.info, "command": ""} == one.info
    assert two.table.as_array().tolist().__repr__() == one.table.as_array().tolist().__repr__()
    assert {p.name for p in (tmp_path / "two").iterdir()} == {
        "comparison.json", "plan.json", "report.html", "stars.ecsv", "table.ecsv",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lsst-wdf"], "did you mean 'lsst-wfd'"),
        (["lsst-wfd:every=none"], "whole number from 2"),
        (["missing.db"], "missing.db"),
        (["lsst-wfd", "--mean-mag", "20", "21", "22"], "--mean-mag"),
        (["lsst-wfd", "--periods", "3", "2"], "min_period"),
        (["lsst-wfd", "--engine", "fft"], "unknown engine"),
        (["ogle3-lmc", "--per-class", "2", "--classes", "CEP"], "depths"),
    ],
)
def test_errors_of_the_command_are_one_line(words: list[str], message: str, tmp_path: Path, capsys: Any) -> None:
    assert main(["compare", *words, "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert message in error
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
