"""Two hundred corruptions: each ends in a clear error or in a skip that is counted, never in anything else.

Every case is a function of its number alone. What comes back without an error must be finite, and where rows were
left out the result must say how many.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lcgen
from lcgen import LcgenError, LightCurves
from lcgen.assets import sha256_of, verify
from lcgen.cadence import EpochLibrary, OpSim, from_table, read_epochs
from lcgen.catalog import Photometry, read_css_photometry, read_ogle_cepf, read_ogle_ident, read_ogle_photometry
from lcgen.prepare.clean import CleanConfig
from lcgen.prepare.dataset import prepare
from lcgen.rng import stream

TIMES = np.linspace(60000.0, 60010.0, 5)
OUTCOMES: Counter[str] = Counter()


@pytest.fixture(scope="module")
def originals(
    data_dir: Path,
    small_packs: Path,
    tiny_model: Path,
    tiny_generator: lcgen.LightCurveGenerator,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """Small copies of real files of every kind that lcgen reads."""
    folder = tmp_path_factory.mktemp("originals")
    raw = data_dir / "raw_samples"
    sources = {
        "pack": small_packs / "ogle_v.h5",
        "ogle": next((raw / "ogle" / "O3" / "V").glob("OGLE-LMC-CEP-*.dat")),
        "css": next(p for p in sorted((raw / "css").glob("*.dat")) if p.stem.isdigit()),
        "opsim": data_dir / "cadences" / "opsim_small.db",
    }
    out = {name: folder / f"{name}{path.suffix}" for name, path in sources.items()}
    for name, path in out.items():
        shutil.copy(sources[name], path)
    for name, source in (("ident", "ogle4_lmc_cep_ident.dat"), ("cepf", "ogle3_lmc_cepF.dat")):
        lines = (data_dir / "catalogs" / source).read_text().splitlines()[:40]
        out[name] = folder / f"{name}.dat"
        out[name].write_text("\n".join(lines) + "\n")
    out["model"] = tiny_model
    out["ensemble"] = folder / "ensemble.h5"
    lcgen.generate_ensemble(
        tiny_generator, out["ensemble"], classes=["CEP", "ECL"], n_per_class=4, cadence=TIMES, seed=1, progress=False
    )
    return out


# ---------------------------------------------------------------------- ways to damage a file
def _damage(content: bytes, seed: int, *, text: bool = False) -> bytes:
    """Cut off, flip bits, overwrite, drop or double a part, by turns."""
    draw = stream(seed, "damage")
    data = bytearray(content)
    kind = seed % 5
    at = int(draw.integers(0, len(data)))
    if kind == 0:
        return bytes(data[:at])
    if kind == 1:
        for k in draw.integers(0, len(data), int(draw.integers(1, 40))).tolist():
            data[k] ^= 1 << int(draw.integers(0, 8))
    elif kind == 2:
        size = int(draw.integers(1, 200))
        junk = b"nan -9.99 garbage\n\x00\xff" if text else draw.bytes(size)
        data[at : at + len(junk)] = junk
    elif kind == 3:
        del data[at : at + int(draw.integers(1, 500))]
    else:
        data[at:at] = data[at : at + int(draw.integers(1, 500))]
    return bytes(data)


def _broken(original: Path, folder: Path, seed: int) -> Path:
    path = folder / original.name
    path.write_bytes(_damage(original.read_bytes(), seed, text=original.suffix == ".dat"))
    return path


def _spoiled_lines(original: Path, folder: Path, seed: int) -> Path:
    """A text file with some numbers replaced by what surveys and accidents put there."""
    draw = stream(seed, "lines")
    lines = original.read_text().splitlines()
    tokens = ["NaN", "-0.02", "0.0", "99.999", "-99.9", "inf", "1e400", "abc", "", "12,5", "-", "--", "1e-320", "é"]
    for i in draw.integers(0, len(lines), 6).tolist():
        words = lines[i].split() or [""]
        words[int(draw.integers(0, len(words)))] = tokens[int(draw.integers(0, len(tokens)))]
        lines[i] = " ".join(words)
    path = folder / original.name
    path.write_text("\n".join(lines) + "\n")
    return path


# ---------------------------------------------------------------------- what a result must be
def _finite_photometry(result: Photometry, n_lines: int) -> None:
    assert np.isfinite(result.mjd).all()
    assert np.isfinite(result.mag).all()
    assert (np.isfinite(result.mag_err) & (result.mag_err > 0)).all()
    assert (np.diff(result.mjd) >= 0).all()
    assert len(result) + sum(result.dropped.values()) + len(result.skipped) <= n_lines


def _finite_curves(curves: LightCurves) -> None:
    assert np.isfinite(curves.mjd).all()
    assert np.isfinite(curves.mag).all()
    assert (np.isfinite(curves.mag_err) & (curves.mag_err > 0)).all()
    assert set(np.unique(curves.columns["class"])) <= {*lcgen.CLASSES, ""}
    period = curves.columns["period"]
    assert (np.isnan(period) | ((period > 0) & np.isfinite(period))).all()


def _finite_observations(curves: LightCurves) -> None:
    for column in (curves.mjd, curves.flux, curves.flux_err):
        assert np.isfinite(column).all()
    # a flux that noise made negative has no magnitude, as documented
    for column in (curves.mag, curves.mag_err):
        assert np.isfinite(column[curves.flux > 0]).all()


# ---------------------------------------------------------------------- the cases
Case = Callable[[dict[str, Path], Path, lcgen.LightCurveGenerator], None]


def _text_case(kind: str, reader: Callable[..., Any], seed: int, *, strict: bool, lines: bool) -> Case:
    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        path = (_spoiled_lines if lines else _broken)(originals[kind], folder, seed)
        result = reader(path, strict=strict)
        if isinstance(result, Photometry):
            _finite_photometry(result, len(path.read_bytes().splitlines()))
            assert not (strict and result.skipped)
        else:
            assert len(result["id"]) > 0

    return run


def _pack_case(seed: int) -> Case:
    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        curves = lcgen.read_pack(_broken(originals["pack"], folder, seed))
        _finite_curves(curves)
        assert curves.meta["dropped_rows"] >= 0

    return run


def _spoil_pack(seed: int) -> Case:
    """Values in a sound file: NaN, negative errors, absurd periods, unknown classes, wrong offsets."""

    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        draw = stream(seed, "pack")
        path = folder / "pack.h5"
        shutil.copy(originals["pack"], path)
        n_bad = 0
        with h5py.File(path, "r+") as file:
            kind = seed % 8
            observations, objects = file["observations"], file["objects"]
            rows = np.sort(draw.choice(observations["mag"].shape[0], 9, replace=False))
            if kind < 4:
                name, value = [("mag", np.nan), ("mag_err", -0.02), ("mjd", np.inf), ("mag_err", 0.0)][kind]
                observations[name][rows] = value
                n_bad = 9
            elif kind == 4:
                objects["period"][:5] = [0.0, -1.0, np.inf, 1e9, -np.inf]
            elif kind == 5:
                del objects["class"]
                objects["class"] = np.array(["NOVA"] * objects["id"].shape[0], dtype="S")
            elif kind == 6:
                objects["offset"][1] = int(draw.choice([-5, 10**9]))
            else:
                file.attrs["band"] = str(draw.choice(["Q", "", "clear"]))
        curves = lcgen.read_pack(path)
        _finite_curves(curves)
        assert curves.meta["dropped_rows"] == n_bad
        assert curves.meta["bad_periods"] == (5 if kind == 4 else 0)
        assert sum(curves.meta["unknown_classes"].values()) == (len(curves) if kind == 5 else 0)
        if kind < 4:  # and what is prepared of it is finite as well
            few = curves.take(np.arange(4))
            prepared, _ = prepare([few], clean=CleanConfig(snr_min=0.0), progress=False)
            assert np.isfinite(prepared.value).all()

    return run


def _schedule_case(number: int) -> Case:
    t, n = TIMES.tolist(), len(TIMES)
    visits: list[tuple[Any, dict[str, Any]]] = [
        ([], {}),
        (np.array([]), {}),
        ([*t, np.nan], {}),
        ([*t, -np.inf], {}),
        ({"mjd": [], "band": []}, {}),
        ({"mjd": t, "band": ["Q"] * n}, {"band": "nearest"}),
        ({"mjd": t, "band": [""] * n}, {"band": "nearest"}),
        ({"mjd": t, "band": ["V", "I"]}, {}),
        ({"mjd": t, "band": ["V"] * n, "depth5": [np.nan] * n}, {"noise": "depth"}),
        ({"mjd": t, "band": ["V"] * n, "depth5": [np.inf] * n}, {"noise": "depth"}),
        ({"mjd": t, "band": ["V"] * n, "depth5": [1e6] * n}, {"noise": "depth"}),
        ({"mjd": t, "band": ["V"] * n, "depth5": [-1e6] * n}, {"noise": "depth"}),
        ({"mjd": t, "band": ["V"] * n}, {"noise": "depth"}),
        ({"band": ["V"] * n}, {}),
        ({"mjd": t, "band": [1] * n}, {}),
        ({"mjd": ["a"] * n, "band": ["V"] * n}, {}),
        ({"mjd": (np.array(t) + 2400000.5).tolist(), "band": ["V"] * n}, {}),
        ((t, ["V"]), {}),
        ((t, []), {}),
        (([], []), {}),
        ("lsst-wdf", {}),
        ("", {}),
        (Path("/no/such/schedule.db"), {}),
        (Path("/no/such/schedule.toml"), {}),
        (3 + 4j, {}),
        ([[60000.0], [np.nan], [60001.0]], {}),
        ([[60000.0], [], [60001.0]], {}),
        ([None, None, None], {}),
        (np.full((3, 4), 60000.0), {}),
        (np.array(["2024-01-01"], dtype="datetime64[D]"), {}),
    ]

    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        cadence, options = visits[number]
        _finite_observations(gen.draw("CEP", 3, seed=1).observe(cadence, **options))

    assert number < len(visits)
    return run


def _schedule_file_case(seed: int) -> Case:
    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        kind = seed % 4
        if kind == 0:
            visits = OpSim(_broken(originals["opsim"], folder, seed)).visits(ra=10.0, dec=-30.0)
        elif kind == 1:
            visits = read_epochs(_broken(originals["ogle"], folder, seed)).visits()
        elif kind == 2:
            visits = EpochLibrary(_broken(originals["pack"], folder, seed)).visits(seed=1, index=2)
        else:
            path = folder / "visits.csv"
            draw = stream(seed, "csv")
            rows = [f"{m},r,{d}" for m, d in zip(TIMES, draw.normal(24, 1, 5), strict=True)]
            rows[2] = str(draw.choice(["60000", "a,b,c", ",,", "60001,r,nan", "nan,r,24", "\x00", "60001,Q,24"]))
            path.write_text("\n".join(["mjd,band,depth5", *rows]))
            visits = from_table(path).visits()
        assert np.isfinite(visits.mjd).all()
        assert len(visits) > 0
        if visits.depth5 is not None:
            assert np.isfinite(visits.depth5).all()

    return run


def _request_case(number: int) -> Case:
    from astropy import units as u

    requests: list[tuple[Any, Any, dict[str, Any]]] = [
        *(("CEP", {"period": p}, {}) for p in (0, -1.0, np.inf, -np.inf, 1e9, 1e-300, 1e308)),
        *(("CEP", {"period": p}, {"extrapolate": True}) for p in (0, -1.0, np.inf, 1e9, 1e-3, 1e5, "x", [1, np.inf])),
        *(("CEP", {"period": q}, {}) for q in (3 * u.m, 3 * u.K, 3 * u.dimensionless_unscaled, 3 * u.mag, 3 * u.Hz)),
        *((c, {}, {}) for c in ("cep", "", "NOVA", "RRLYR ", "*", None, 7, b"CEP", ["CEP", None], [["CEP"]])),
        *(("RRLYR", {}, {"subclass": s}) for s in ("EA", "rrab", "*", 3, ["RRab", "EW"], "RRab/RRc")),
        ("CEP", {"amplitude": -0.1}, {}),
        ("CEP", {"amplitude": 1e-4}, {"extrapolate": True}),
        ("CEP", {"amplitude": 15.0}, {"extrapolate": True}),
        ("CEP", {"teff": 1e5, "abs_mag": 20.0, "period": 1e5}, {"extrapolate": True}),
        ("CEP", {"distance": 0.0}, {}),
        ("CEP", {"distance": np.nan, "mean_mag": np.nan}, {}),
        ("CEP", {"t0": 1e300}, {}),
        ("CEP", {"t0": -1e7}, {}),
        ("CEP", {"periods": 1.0}, {}),
        ("CEP", {1: 1.0}, {}),
        ("CEP", [("period", 1.0)], {}),
        ("CEP", "period", {}),
        ("CEP", {"period": [1.0, 2.0], "teff": [6000.0]}, {}),
        ("CEP", {"period": {}}, {}),
    ]

    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        cls, params, options = requests[number]
        curves = gen.sample(cls, params, TIMES, seed=1, **options)
        for name in ("mag", "flux", "mag_err"):
            assert np.isfinite(getattr(curves, name)).all(), name

    assert number < len(requests)
    return run


def _checkpoint_case(seed: int) -> Case:
    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        model = folder / "model"
        shutil.copytree(originals["model"], model)
        file = model / ("config.json" if seed % 3 else "weights.safetensors")
        content = file.read_bytes()
        if seed % 3 == 0:  # weights: cut off, or damaged in the header (a flipped weight is told by its sha256 alone)
            at = int(stream(seed, "cut").integers(0, len(content)))
            file.write_bytes(content[:at] if seed % 2 else _damage(content[:3000], seed) + content[3000:])
        elif seed % 3 == 1:
            file.write_bytes(_damage(content, seed))
        else:
            _spoil_json(file, seed)
        loaded = lcgen.load_generator(model)
        for cls in loaded.classes:
            _finite_observations(loaded.draw(cls, 2, seed=1).observe(TIMES))

    return run


def _spoil_json(file: Path, seed: int) -> None:
    """Take one value out of a sound configuration, or put another type in its place."""
    draw = stream(seed, "json")
    config = json.loads(file.read_text())
    at: Any = config
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = keys[int(draw.integers(0, len(keys)))]
        below = at[key]
        if not (isinstance(below, (dict, list)) and len(below)) or draw.random() < 0.3:
            break
        at = below
    if draw.random() < 0.5:
        del at[key]
    else:
        at[key] = [None, "x", -1, [], {}, 1e30][int(draw.integers(0, 6))]
    file.write_text(json.dumps(config))


def _integrity_case(seed: int) -> Case:
    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        file = folder / "weights.safetensors"
        content = (originals["model"] / file.name).read_bytes()
        file.write_bytes(content)
        expected = {file.name: sha256_of(file)}
        verify(folder, expected)
        at = int(stream(seed, "at").integers(0, len(content)))
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        verify(folder, expected)
        pytest.fail("one flipped bit was not noticed")

    return run


def _ensemble_case(seed: int) -> Case:
    def run(originals: dict[str, Path], folder: Path, gen: Any) -> None:
        path = _broken(originals["ensemble"], folder, seed)
        with lcgen.open_ensemble(path) as ensemble:
            for star in ensemble:
                assert np.isfinite(star.mjd).all()
                assert np.isfinite(star.mag).all()

    return run


def _all_cases() -> dict[str, Case]:
    readers = {
        "ogle": read_ogle_photometry,
        "css": read_css_photometry,
        "ident": read_ogle_ident,
        "cepf": read_ogle_cepf,
    }
    cases: dict[str, Case] = {}
    for kind, reader in readers.items():
        for seed in range(5):
            cases[f"{kind}-damaged-{seed}"] = _text_case(kind, reader, seed, strict=bool(seed % 2), lines=False)
        for seed in range(6):
            cases[f"{kind}-lines-{seed}"] = _text_case(kind, reader, seed, strict=bool(seed % 2), lines=True)
    cases |= {f"pack-damaged-{seed}": _pack_case(seed) for seed in range(15)}
    cases |= {f"pack-values-{seed}": _spoil_pack(seed) for seed in range(16)}
    cases |= {f"schedule-{k}": _schedule_case(k) for k in range(30)}
    cases |= {f"schedule-file-{seed}": _schedule_file_case(seed) for seed in range(16)}
    cases |= {f"request-{k}": _request_case(k) for k in range(50)}
    cases |= {f"checkpoint-{seed}": _checkpoint_case(seed) for seed in range(15)}
    cases |= {f"integrity-{seed}": _integrity_case(seed) for seed in range(2)}
    cases |= {f"ensemble-{seed}": _ensemble_case(seed) for seed in range(12)}
    return cases


CASES = _all_cases()


@pytest.mark.parametrize("name", list(CASES))
def test_a_corruption_ends_in_a_clear_error_or_a_counted_skip(
    name: str, originals: dict[str, Path], tmp_path: Path, tiny_generator: lcgen.LightCurveGenerator
) -> None:
    try:
        CASES[name](originals, tmp_path, tiny_generator)
    except LcgenError as error:
        text = str(error)
        assert len(text) > 10
        assert "\n" not in text.strip()
        OUTCOMES["error"] += 1
    else:
        OUTCOMES["result"] += 1


def test_there_are_two_hundred_corruptions() -> None:
    assert len(CASES) == 200


def test_most_corruptions_are_noticed() -> None:
    """A fuzz test in which nothing goes wrong has tested nothing."""
    if OUTCOMES.total() == len(CASES):
        assert OUTCOMES["error"] > 100
        assert OUTCOMES["result"] > 10
