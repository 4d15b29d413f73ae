"""Streams, batches and loaders: every star once, the same whatever reads it."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from lcgen import LightCurveGenerator
from lcgen.datasets import (
    Delta,
    EnsembleDataset,
    EnsembleStream,
    GeneratedStream,
    Normalise,
    Sample,
    Selection,
    pad_collate,
    ragged,
    samples,
)
from lcgen.ensemble import EnsembleHeader, EnsembleWriter, generate_ensemble
from lcgen.errors import EnsembleError, InputError, LcgenError
from lcgen.lightcurve import LightCurves

pytestmark = [
    # from Python 3.12 on, of a fork; and of machines with fewer cores than workers
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

VISITS = {"mjd": np.linspace(61000.0, 61100.0, 24), "band": np.array(list("ugrizy") * 4), "depth5": np.full(24, 24.0)}


@pytest.fixture(scope="module")
def file(css_sample: LightCurves, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real stars in the order of their classes, as files of lcgen are."""
    order = np.argsort(css_sample.columns["class"], kind="stable")
    few = css_sample.take(order[::2])
    columns = {"star_id": 5 + 2 * np.arange(len(few)), "class": few.columns["class"], "period": few.columns["period"]}
    path = tmp_path_factory.mktemp("torch") / "real.h5"
    header = EnsembleHeader(generator="real stars", seed=0, cadence="as observed")
    with EnsembleWriter(path, header=header, n_stars=len(few), observation_chunk=2048, star_chunk=32) as writer:
        writer.append(dataclasses.replace(few, columns=columns))
    return path


@pytest.fixture(scope="module")
def all_ids(file: Path) -> list[int]:
    return EnsembleDataset(file).star_id.tolist()


def ids_of(loader: DataLoader) -> list[int]:
    return [int(i) for batch in loader for i in batch["star_id"]]


# Batches


@st.composite
def stars(draw) -> list[Sample]:
    lengths = draw(st.lists(st.integers(0, 9), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    return [
        Sample(
            x=rng.normal(size=(n, 3)).astype("f4"),
            mjd=np.sort(rng.uniform(60000, 61000, n)),
            band=rng.integers(0, 6, n),
            label=i % 3,
            star_id=100 + i,
            columns=rng.normal(size=2),
        )
        for i, n in enumerate(lengths)
    ]


@settings(max_examples=40, deadline=None)
@given(batch=stars())
def test_what_is_padded_comes_back(batch: list[Sample]) -> None:
    found = pad_collate(batch)
    width = max(1, *(s["mjd"].size for s in batch)) if len(batch) > 1 else max(1, batch[0]["mjd"].size)
    assert found["x"].shape == (len(batch), width, 3)
    assert found["mask"].shape == found["mjd"].shape == found["band"].shape == (len(batch), width)
    for i, star in enumerate(batch):
        rows = found["mask"][i]
        assert int(rows.sum()) == int(found["length"][i]) == star["mjd"].size
        for name in ("x", "mjd", "band"):
            np.testing.assert_array_equal(found[name][i][rows].numpy(), star[name])  # type: ignore[literal-required]
            assert not found[name][i][~rows].any()  # type: ignore[literal-required]
    assert found["label"].tolist() == [s["label"] for s in batch]
    assert found["star_id"].tolist() == [s["star_id"] for s in batch]
    np.testing.assert_array_equal(found["columns"].numpy(), [s["columns"] for s in batch])
    types = {name: value.dtype for name, value in found.items()}
    assert types["x"] == torch.float32
    assert types["mask"] == torch.bool
    assert types["mjd"] == types["columns"] == torch.float64
    assert types["band"] == types["label"] == types["star_id"] == types["length"] == torch.int64


@pytest.mark.parametrize("keep", ["first", "last", "spread", "random"])
def test_what_stays_of_a_long_star(keep) -> None:
    star = Sample(
        x=np.arange(40, dtype="f4")[:, None],
        mjd=np.arange(40.0),
        band=np.zeros(40, "i8"),
        label=0,
        star_id=9,
        columns=np.zeros(0),
    )
    short = Sample(x=star["x"][:4], mjd=star["mjd"][:4], band=star["band"][:4], label=0, star_id=1, columns=np.zeros(0))
    batch = pad_collate([star, short], max_length=7, keep=keep)
    rows = batch["mjd"][0].tolist()
    assert batch["x"][0, :, 0].tolist() == rows
    assert len(rows) == 7
    assert rows == sorted(set(rows))
    assert batch["length"].tolist() == [7, 4]
    expected = {"first": list(range(7)), "last": list(range(33, 40)), "spread": [0, 6, 13, 20, 26, 32, 39]}
    if keep in expected:
        assert rows == expected[keep]
    else:
        assert rows == pad_collate([short, star], max_length=7, keep=keep)["mjd"][1].tolist()
        assert rows != pad_collate([star], max_length=7, keep=keep, seed=1)["mjd"][0].tolist()
    assert pad_collate([short], max_length=7, keep=keep, fixed=True)["x"].shape == (1, 7, 1)
    assert pad_collate([short], max_length=7, keep=keep)["x"].shape == (1, 4, 1)


def test_wrong_batches_are_refused() -> None:
    star = Sample(
        x=np.zeros((2, 1), "f4"), mjd=np.zeros(2), band=np.zeros(2, "i8"), label=0, star_id=0, columns=np.zeros(0)
    )
    other = Sample(
        x=np.zeros((2, 2), "f4"), mjd=np.zeros(2), band=np.zeros(2, "i8"), label=0, star_id=0, columns=np.zeros(0)
    )
    for call, message in [
        (lambda: pad_collate([]), "at least one star"),
        (lambda: pad_collate([star, other]), "same features"),
        (lambda: pad_collate([star], max_length=0), "max_length"),
        (lambda: pad_collate([star], fixed=True), "needs max_length"),
        (lambda: pad_collate([star], max_length=1, keep="best"), "unknown value of keep"),  # type: ignore[arg-type]
    ]:
        with pytest.raises(LcgenError, match=message):
            call()


# Loaders of a file


@pytest.mark.parametrize(("workers", "context"), [(0, None), (2, "fork")])
def test_a_loader_gives_the_stars_of_the_file(file: Path, workers: int, context: str | None) -> None:
    select = Selection(
        features=("time", "mag", "mag_err"), columns=("period",), transform=Normalise(errors=("mag_err",))
    )
    data = EnsembleDataset(file, select=select)
    first = data[0]  # opened before the workers start
    collate = functools.partial(pad_collate, max_length=150)
    loader = DataLoader(
        data,  # type: ignore[arg-type]
        batch_size=50,
        num_workers=workers,
        multiprocessing_context=context,
        collate_fn=collate,
    )
    batches = list(loader)
    assert torch.cat([b["star_id"] for b in batches]).tolist() == data.star_id.tolist()
    np.testing.assert_array_equal(torch.cat([b["label"] for b in batches]).numpy(), data.labels)
    expected = pad_collate(data[:50], max_length=150)
    for name, value in expected.items():
        assert torch.equal(batches[0][name], value), name
    assert first["columns"].size == 3  # the period, and what the transform keeps


def test_real_stars_take_the_path_of_the_training(css_sample: LightCurves, file: Path) -> None:
    """Light curves in memory and in a file are the same batches."""
    select = Selection(features=("time", "mag"), transform=Delta())
    data = EnsembleDataset(file, select=select)
    order = np.argsort(css_sample.columns["class"], kind="stable")[::2]
    curves = dataclasses.replace(
        css_sample.take(order), mag=css_sample.take(order).mag.astype("f4"), mag_err=css_sample.take(order).mag_err
    )
    real = samples(ragged(curves, select))
    for a, b in zip(
        DataLoader(real, batch_size=32, collate_fn=pad_collate),  # type: ignore[arg-type]
        DataLoader(data, batch_size=32, collate_fn=pad_collate),  # type: ignore[arg-type]
        strict=True,
    ):
        for name in ("x", "mask", "mjd", "label"):
            assert torch.equal(a[name], b[name]), name


@settings(max_examples=12, deadline=None)
@given(
    world=st.integers(1, 5),
    block=st.integers(1, 90),
    pool=st.integers(1, 6),
    shuffle=st.booleans(),
    epoch=st.integers(0, 3),
)
def test_every_star_once_over_all_ranks(
    file: Path, all_ids: list[int], world: int, block: int, pool: int, shuffle: bool, epoch: int
) -> None:
    found, sizes = [], []
    for rank in range(world):
        stream = EnsembleStream(
            file, shuffle=shuffle, block_stars=block, pool_blocks=pool, rank=rank, world_size=world, seed=3
        )
        stream.set_epoch(epoch)
        mine = [s["star_id"] for s in stream]
        found += mine
        sizes.append(len(mine))
    assert sorted(found) == all_ids
    assert max(sizes) - min(sizes) <= 1
    if not shuffle:
        assert found == all_ids


def test_even_ranks_leave_out_fewer_stars_than_ranks(file: Path, all_ids: list[int]) -> None:
    left = []
    for epoch in range(4):
        found = []
        for rank in range(7):
            stream = EnsembleStream(file, rank=rank, world_size=7, even=True, block_stars=10)
            stream.set_epoch(epoch)
            mine = [s["star_id"] for s in stream]
            assert len(mine) == len(all_ids) // 7
            found += mine
        assert len(set(found)) == len(found)
        left.append(set(all_ids) - set(found))
    assert len(all_ids) % 7 == len(left[0])
    if left[0]:
        assert len(set(map(frozenset, left))) > 1


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_every_star_once_over_all_workers_and_epochs_differ(file: Path, all_ids: list[int], context: str) -> None:
    """Also with workers that live on from epoch to epoch, which do not see what the parent's object is told."""
    stream = EnsembleStream(file, block_stars=20, seed=1)
    loader = DataLoader(
        stream,
        batch_size=16,
        num_workers=2 if context == "fork" else 1,
        persistent_workers=True,
        multiprocessing_context=context,
        collate_fn=pad_collate,
    )
    orders = []
    for epoch in (0, 1, 0):
        stream.set_epoch(epoch)
        orders.append(ids_of(loader))
    assert all(sorted(order) == all_ids for order in orders)
    assert orders[0] == orders[2] != orders[1]


def test_the_stars_of_a_stream_are_those_of_the_file(file: Path) -> None:
    select = Selection(features=("mag", "mag_err"), bands=("V",), transform=Delta())
    data = EnsembleDataset(file, select=select)
    where = {int(i): k for k, i in enumerate(data.star_id)}
    chosen = np.arange(3, len(data), 2)
    stream = EnsembleStream(file, select=select, stars=chosen, block_stars=9, pool_blocks=3)
    found = list(stream)
    assert sorted(where[s["star_id"]] for s in found) == chosen.tolist()
    for sample in found[::11]:
        expected = data[where[sample["star_id"]]]
        for name in ("x", "mjd", "band", "label"):
            np.testing.assert_array_equal(sample[name], expected[name])  # type: ignore[literal-required]


def test_a_stream_mixes_a_file_that_is_in_order(file: Path, all_ids: list[int]) -> None:
    """Rank correlation of the places before and after: for random orders it is normal with 1 / sqrt(n - 1)."""
    place = {i: k for k, i in enumerate(all_ids)}
    limit = 4 / np.sqrt(len(all_ids) - 1)
    correlations = []
    for seed in range(20):
        order = [place[s["star_id"]] for s in EnsembleStream(file, block_stars=4, pool_blocks=16, seed=seed)]
        correlations.append(np.corrcoef(order, np.arange(len(order)))[0, 1])
        labels = EnsembleDataset(file).labels[order]
        assert np.unique(labels[:64]).size >= 4  # of 7 classes; the file begins with 20 stars of one
    # blocks of four stand for one another: their number decides the spread
    assert np.max(np.abs(correlations)) < 2 * limit
    assert abs(np.mean(correlations)) < 2 * limit / np.sqrt(20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block_stars": 0}, "block_stars"),
        ({"pool_blocks": 0}, "pool_blocks"),
        ({"rank": 1}, "together"),
        ({"rank": 2, "world_size": 2}, "rank must lie"),
        ({"seed": -1}, "seed"),
        ({"stars": [10**9]}, "stars must"),
    ],
)
def test_wrong_streams_are_refused(file: Path, arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        EnsembleStream(file, **arguments)
    with pytest.raises(InputError, match="epoch"):
        EnsembleStream(file).set_epoch(-1)


# Stars made on the way


def stream_of(generator: LightCurveGenerator, **options) -> GeneratedStream:
    choices = {"n_stars": 50, "classes": {"RRLYR": 3.0, "ECL": 1.0}, "mean_mag": (17.0, 20.0), "noise": "depth"}
    return GeneratedStream(generator, VISITS, **{**choices, "block_stars": 16, "seed": 4, **options})


def test_generated_stars_are_those_that_the_generator_draws(shipped_generator: LightCurveGenerator) -> None:
    select = Selection(features=("time", "flux", "flux_err"), columns=("period", "mean_mag"))
    stream = stream_of(shipped_generator, select=select)
    stream.set_epoch(2)
    found = list(stream)
    assert [s["star_id"] for s in found] == list(range(100, 150))
    for sample in found[::7]:
        cls = stream.label_names[sample["label"]]
        star = shipped_generator.draw(
            cls, 1, params={"mean_mag": sample["columns"][1]}, seed=4, first_id=sample["star_id"]
        )
        expected = ragged(star.observe(VISITS, noise="depth", seed=4), select)
        np.testing.assert_array_equal(sample["x"][:, 1], expected.values["flux"].astype("f4"))
        assert sample["columns"][0] == expected.columns["period"][0]


def test_generated_stars_are_the_same_over_ranks_and_workers(shipped_generator: LightCurveGenerator) -> None:
    alone = {s["star_id"]: s["x"] for s in stream_of(shipped_generator)}
    assert len(alone) == 50
    parts: list[int] = []
    for rank in range(3):
        for sample in stream_of(shipped_generator, rank=rank, world_size=3, block_stars=7):
            np.testing.assert_array_equal(sample["x"], alone[sample["star_id"]])
            parts.append(sample["star_id"])
    assert sorted(parts) == sorted(alone)
    loader = DataLoader(
        stream_of(shipped_generator),
        batch_size=10,
        num_workers=2,
        multiprocessing_context="fork",
        collate_fn=pad_collate,
    )
    batches = list(loader)
    assert sorted(int(i) for b in batches for i in b["star_id"]) == sorted(alone)
    for batch in batches:
        for i, x in zip(batch["star_id"].tolist(), batch["x"], strict=True):
            np.testing.assert_array_equal(x.numpy(), alone[i])


def test_epochs_do_not_repeat_and_classes_have_their_weights(shipped_generator: LightCurveGenerator) -> None:
    stream = stream_of(shipped_generator, n_stars=100, noise=None)
    seen, labels = set(), []
    for epoch in range(2):
        stream.set_epoch(epoch)
        for sample in stream:
            seen.add(sample["x"].tobytes())
            labels.append(stream.label_names[sample["label"]])
    assert len(seen) == 200
    share = np.mean(np.array(labels) == "RRLYR")
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 200)


def test_wrong_generated_streams_are_refused(shipped_generator: LightCurveGenerator) -> None:
    for arguments, message in [
        ({"classes": ("QSO",)}, "unknown class 'QSO'"),
        ({"classes": {"CEP": 0.0}}, "positive weights"),
        ({"n_stars": 0}, "n_stars"),
        ({"params": {"mean_mag": 15.0}}, "give one of them"),
        ({"first_star_id": -1}, "first_star_id"),
        ({"mean_mag": (20.0, 17.0)}, "mean_mag"),
    ]:
        with pytest.raises(LcgenError, match=message):
            stream_of(shipped_generator, **arguments)


def test_shards_are_read_as_one_file(shipped_generator: LightCurveGenerator, tmp_path: Path) -> None:
    choices = {"n_per_class": 5, "cadence": VISITS, "seed": 2, "mean_mag": 18.0, "noise": "depth", "progress": False}
    generate_ensemble(shipped_generator, tmp_path / "one.h5", **choices)
    generate_ensemble(shipped_generator, tmp_path / "master.h5", shards=3, **choices)
    one, sharded = (EnsembleDataset(tmp_path / name) for name in ("one.h5", "master.h5"))
    order = np.random.default_rng(3).permutation(len(one)).tolist()
    for a, b in zip(one.__getitems__(order), sharded.__getitems__(order), strict=True):
        assert a["star_id"] == b["star_id"]
        np.testing.assert_array_equal(a["x"], b["x"])
    found = [s["star_id"] for s in EnsembleStream(tmp_path / "master.h5", block_stars=4)]
    assert sorted(found) == one.star_id.tolist()
    sharded.close()
    next((tmp_path / "master.h5.shards").glob("*1*.h5")).unlink()
    with pytest.raises(EnsembleError, match="missing"):
        EnsembleDataset(tmp_path / "master.h5").ragged()
