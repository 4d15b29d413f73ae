"""Filters, dust and positions."""

from __future__ import annotations

import numpy as np
import pytest
from lightcurvelynx.astro_utils.dustmap import ConstantHemisphereDustMap, DustmapWrapper
from lightcurvelynx.astro_utils.passbands import Passband, PassbandGroup
from lightcurvelynx.base_models import FunctionNode
from lightcurvelynx.math_nodes.given_sampler import GivenValueList, GivenValueSampler
from lightcurvelynx.math_nodes.np_random import NumpyRandomFunc
from lightcurvelynx.math_nodes.ra_dec_sampler import UniformRADEC

from lcgen import LightCurveGenerator
from lcgen.errors import DomainError, InputError, UnknownNameError
from lcgen.photometry import flux_to_mag
from lcgen.sky import Circle, ConstantDust, SmoothDust
from lcgen_lightcurvelynx import PeriodicStarModel, SkyPositions

TIMES = np.linspace(60000.0, 60100.0, 12)
FOOTPRINT = Circle(ra=60.0, dec=-30.0, radius=10.0)


def group(survey: str, *filters: str) -> PassbandGroup:
    """Passbands from tables in memory; of a band-flux model the library needs their names alone."""
    table = np.array([[4000.0, 0.5], [4100.0, 1.0], [4200.0, 0.5]])
    return PassbandGroup([Passband(table, survey, name) for name in filters])


def test_a_filter_is_that_of_its_survey(generator: LightCurveGenerator) -> None:
    model = PeriodicStarModel("RRLYR", mean_mag=16.0, seed=1)
    state = model.sample_parameters()
    stars = generator.draw("RRLYR", 1, params={"mean_mag": 16.0}, seed=1)
    for survey, name, band in (
        ("LSST", "g", "g"),
        ("ZTF", "g", "ztf_g"),
        ("SDSS", "g", "sdss_g"),
        ("Gaia", "BP", "BP"),
    ):
        fluxes = model.evaluate_bandfluxes(group(survey, name), TIMES, np.full(TIMES.size, name), state)
        assert np.abs(flux_to_mag(fluxes, band) - stars.magnitude(TIMES, band)[0]).max() < 1e-6
    both = [model.evaluate_bandfluxes(group(s, "g"), TIMES, np.full(12, "g"), state) for s in ("LSST", "ZTF")]
    assert np.abs(both[0] / both[1] - 1.0).max() > 1e-3


def test_filters_that_are_not_known() -> None:
    state = (model := PeriodicStarModel("RRLYR", mean_mag=16.0)).sample_parameters()
    with pytest.raises(UnknownNameError, match=r"unknown filter 'F062'.*allowed: u, B, g.*bands=\{'F062': 'g'\}"):
        model.compute_bandflux(TIMES, "F062", state)
    # g of a survey that lcgen does not know is not LSST's
    with pytest.raises(UnknownNameError, match="SkyMapper_g"):
        model.evaluate_bandfluxes(group("SkyMapper", "g"), TIMES, np.full(12, "g"), state)
    told = PeriodicStarModel("RRLYR", mean_mag=16.0, bands={"SkyMapper_g": "sdss_g", "F062": "r"})
    state = told.sample_parameters()
    assert told.evaluate_bandfluxes(group("SkyMapper", "g"), TIMES, np.full(12, "g"), state).shape == (12,)
    assert np.array_equal(told.compute_bandflux(TIMES, "F062", state), told.compute_bandflux(TIMES, "r", state))


def test_dust_maps_of_the_library() -> None:
    place = UniformRADEC()
    dust = DustmapWrapper(ConstantHemisphereDustMap(0.5, 0.1), ra=place.ra, dec=place.dec)
    for given in (dust, dust.ebv):  # type: ignore[attr-defined]
        model = PeriodicStarModel("RRLYR", mean_mag=18.0, ra=place, dec=place, e_bv=given)
        for n in (1, 8):
            state = model.sample_parameters(num_samples=n, rng_info=np.random.default_rng(1))
            a_v, dec = (np.atleast_1d(state[f"PeriodicStarModel_0.{name}"]) for name in ("a_v", "dec"))
            assert np.allclose(a_v, 3.1 * np.where(dec < 0, 0.1, 0.5))


def test_places_and_dust_of_lcgen(generator: LightCurveGenerator) -> None:
    sky = SkyPositions("RRLYR", footprint=FOOTPRINT, seed=7)
    dust = FunctionNode(
        SmoothDust().ebv, ra=sky.ra, dec=sky.dec, distance=sky.distance, outputs=["ebv"]  # type: ignore[attr-defined]
    )  # fmt: skip
    model = PeriodicStarModel("RRLYR", ra=sky, dec=sky, distance=sky, e_bv=dust, seed=7, node_label="star")
    state = model.sample_parameters(num_samples=6, rng_info=np.random.default_rng(1))
    stars = generator.draw("RRLYR", 6, sky=FOOTPRINT, dust=SmoothDust(), seed=7)
    for name in ("ra", "dec", "distance", "a_v"):
        assert np.allclose(state[f"star.{name}"], stars.columns[name], rtol=1e-12)
    for n in (1, 2):  # in batches
        part = model.sample_parameters(num_samples=n, sample_offset=3)
        assert np.array_equal(np.atleast_1d(part["star.ra"]), state["star.ra"][3 : 3 + n])


def test_places_of_a_mixture() -> None:
    cls = GivenValueSampler(["CEP", "RRLYR"])
    sky = SkyPositions(cls, footprint=Circle(ra=80.9, dec=-69.7, radius=5.0), max_distance=1e5)
    model = PeriodicStarModel(cls, ra=sky, dec=sky, distance=sky)
    state = model.sample_parameters(num_samples=40, rng_info=np.random.default_rng(1))
    classes, distance = state["PeriodicStarModel_0.cls"], state["PeriodicStarModel_0.distance"]
    assert np.array_equal(classes, state[str(sky) + ".cls"]) and set(classes) == {"CEP", "RRLYR"}
    assert 4e4 < np.median(distance[classes == "CEP"]) < 6e4
    # RR Lyrae stars of the Large Magellanic Cloud have V of about 19.2 to 19.4
    assert 18.7 < np.median(state["PeriodicStarModel_0.mean_mag"][(classes == "RRLYR") & (distance > 4e4)]) < 19.6


def test_nodes_that_are_refused() -> None:
    place = UniformRADEC()
    with pytest.raises(InputError, match="outputs ra, dec; say which"):
        PeriodicStarModel("RRLYR", distance=place)
    with pytest.raises(InputError, match="say which parameter"):
        PeriodicStarModel("RRLYR", distance=PeriodicStarModel("CEP", distance=1e5))
    with pytest.raises(InputError, match="footprint must be"):
        SkyPositions("RRLYR", footprint=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a number for each of 3 samples"):
        PeriodicStarModel("RRLYR", distance=NumpyRandomFunc("uniform", size=2, low=1e4, high=2e4)).sample_parameters(
            num_samples=3
        )


def test_samples_that_are_not_numbers() -> None:
    nowhere = DustmapWrapper(ConstantHemisphereDustMap(np.nan, 0.1), ra=10.0, dec=UniformRADEC().dec)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"e_bv is NaN for \d of 9 stars: does the dust map"):
        PeriodicStarModel("RRLYR", distance=1e4, e_bv=nowhere).sample_parameters(
            num_samples=9, rng_info=np.random.default_rng(1)
        )
    for value, error, message in (
        (np.nan, InputError, "1 of 2 stars have neither distance nor mean_mag"),
        (np.inf, DomainError, "distance = inf"),
    ):
        with pytest.raises(error, match=message):
            PeriodicStarModel("RRLYR", distance=GivenValueList([1e4, value], stateful=False)).sample_parameters(
                num_samples=2
            )
    # of a physical parameter it says that the star is to be drawn without it
    period = GivenValueList([0.6, np.nan], stateful=False)
    state = PeriodicStarModel("RRLYR", distance=1e4, period=period, seed=1).sample_parameters(num_samples=2)
    assert state["PeriodicStarModel_0.period"][0] == 0.6 and np.isfinite(state["PeriodicStarModel_0.period"][1])


def test_plain_functions_are_called_once_a_sample() -> None:
    calls = []

    def distance() -> float:
        calls.append(1)
        return 1e4

    state = PeriodicStarModel("RRLYR", distance=distance).sample_parameters()
    assert state["PeriodicStarModel_0.distance"] == 1e4 and len(calls) == 1
    assert ConstantDust(value=0.1).ebv(1.0, 2.0, 3.0).shape == (1,)
