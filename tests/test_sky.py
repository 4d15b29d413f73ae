"""Footprints, densities, positions and dust."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcgen.cadence import from_arrays
from lcgen.errors import CadenceError, DataError, InputError, MissingExtraError, UnknownNameError
from lcgen.sky import (
    CLASS_COMPONENTS,
    COMPONENTS,
    Circle,
    Component,
    ConstantDust,
    DecBand,
    DustMap,
    DustMapsQuery,
    ExponentialDisc,
    Footprint,
    FunctionDust,
    HealpixMask,
    Polygon,
    PowerLawHalo,
    RowGrid,
    SmoothDust,
    WholeSky,
    component_shares,
    draw_positions,
    extinction_columns,
    from_schedule,
)
from lcgen.sky.frames import galactic, galactocentric, icrs, icrs_offsets
from lcgen.taxonomy import CLASSES

POLYGON = Polygon(ra=(40.0, 70.0, 65.0, 45.0), dec=(-40.0, -35.0, -10.0, -12.0))
FOOTPRINTS = {
    "whole": WholeSky(),
    "circle": Circle(ra=10.0, dec=-85.0, radius=12.0),
    "band": DecBand(dec_min=-70.0, dec_max=12.0),
    "polygon": POLYGON,
    "visits": from_schedule(([150.0, 151.5, 210.0], [2.0, 3.0, -30.0])),
}


def on_the_sphere(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


# ---------------------------------------------------------------- frames and cells
def test_frames_agree_with_astropy():
    from astropy import units as u
    from astropy.coordinates import Galactocentric, SkyCoord

    ra, dec = on_the_sphere(200)
    distance = np.geomspace(0.01, 300.0, 200)
    sky = SkyCoord(ra * u.deg, dec * u.deg, distance=distance * u.kpc)
    lon, lat = galactic(ra, dec)
    np.testing.assert_allclose(lon, sky.galactic.l.deg, atol=1e-9)
    np.testing.assert_allclose(lat, sky.galactic.b.deg, atol=1e-9)
    back = icrs(lon, lat)
    np.testing.assert_allclose(back, (ra, dec), atol=1e-9)
    expected = sky.transform_to(Galactocentric(galcen_distance=8.122 * u.kpc, z_sun=20.8 * u.pc)).cartesian.xyz
    x, y, z = galactocentric(ra, dec, distance)
    np.testing.assert_allclose([x, y, z], expected.to_value(u.kpc), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(icrs_offsets(x, y, z), axis=0), distance, rtol=1e-9)


@given(
    step=st.floats(0.5, 20.0),
    finest=st.floats(0.2, 20.0),
    lon=st.floats(0, 360, exclude_max=True),
    lat=st.floats(-90, 90),
    u=st.floats(0.001, 0.999),
    v=st.floats(0.001, 0.999),
)
@settings(max_examples=40, deadline=None)
def test_grid_cells_cover_the_sphere_once(step, finest, lon, lat, u, v):
    grid = RowGrid(step=step, finest=finest)
    assert grid.areas.sum() == pytest.approx(41252.96, rel=1e-6)
    cell = grid.index(np.array([lon]), np.array([lat]))
    assert 0 <= cell[0] < grid.size
    again = grid.index(*grid.inside(cell, np.array([u]), np.array([v])))
    assert again[0] == cell[0]


# ---------------------------------------------------------------- footprints
@pytest.mark.parametrize("name", FOOTPRINTS)
def test_area_and_cap_of_footprints(name):
    footprint = FOOTPRINTS[name]
    assert isinstance(footprint, Footprint)
    ra, dec = on_the_sphere(400_000, 1)
    inside = footprint.contains(ra, dec)
    share = footprint.area / WholeSky().area
    # 4 standard deviations of the count, with the area known exactly
    assert abs(inside.mean() - share) <= 4 * np.sqrt(share * (1 - share) / ra.size)
    cap = Circle(ra=footprint.cap[0], dec=footprint.cap[1], radius=footprint.cap[2])
    assert cap.contains(ra[inside], dec[inside]).all()


@pytest.mark.parametrize("name", FOOTPRINTS)
def test_drawn_positions_are_inside(name):
    footprint = FOOTPRINTS[name]
    stars = draw_positions("RRLYR", np.arange(500), 3, footprint=footprint)
    assert footprint.contains(stars.ra, stars.dec).all()
    assert np.isfinite(stars.distance).all() and (stars.distance > 0).all() and len(stars) == 500


@pytest.mark.parametrize("name", ["circle", "polygon"])
def test_edges_are_filled_evenly(name):
    # a density without any structure within the footprint must give positions uniform in area
    footprint = FOOTPRINTS[name]
    flat = PowerLawHalo(name="flat", flattening=1.0, inner=1e-9, outer=1e-9, break_radius=1.0, reach=(90.0, 100.0))
    stars = draw_positions("RRLYR", np.arange(6000), 5, footprint=footprint, components={"RRLYR": {flat: 1.0}})
    ra, dec = on_the_sphere(600_000, 2)
    rows = footprint.contains(ra, dec)
    from scipy.stats import ks_2samp

    for a, b in ((np.sin(np.radians(stars.dec)), np.sin(np.radians(dec[rows]))), (stars.ra, ra[rows])):
        # a shift of 3 % of the width would be found with a probability above 0.9
        assert ks_2samp(a, b).pvalue > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Circle(ra=0.0, dec=91.0, radius=1.0), "dec within"),
        (lambda: Circle(ra=0.0, dec=0.0, radius=0.0), "radius"),
        (lambda: DecBand(dec_min=10.0, dec_max=10.0), "dec_min < dec_max"),
        (lambda: Polygon(ra=(0.0, 1.0), dec=(0.0, 1.0)), "three or more"),
        (lambda: Polygon(ra=(0.0, 10.0, 2.0, 10.0), dec=(0.0, 0.0, 2.0, 10.0)), "convex"),
        (lambda: WholeSky().contains(np.nan, 0.0), "finite"),
        (lambda: HealpixMask(mask=np.ones(13, dtype=bool)), "12 nside"),
        (lambda: from_schedule(([1.0, 2.0], [0.0, 0.0]), min_visits=0), "min_visits"),
        (lambda: from_schedule(from_arrays([60000.0])), "no pointings"),
    ],
)
def test_impossible_footprints(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_healpix_mask_counts_pixels():
    pytest.importorskip("astropy_healpix")
    mask = np.zeros(12 * 16**2, dtype=bool)
    mask[1000:1040] = True
    footprint = HealpixMask(mask=mask)
    assert footprint.area == pytest.approx(40 * WholeSky().area / mask.size)
    ra, dec = on_the_sphere(200_000, 4)
    inside = footprint.contains(ra, dec)
    assert inside.mean() == pytest.approx(40 / mask.size, rel=0.1)
    cap = Circle(ra=footprint.cap[0], dec=footprint.cap[1], radius=footprint.cap[2])
    assert cap.contains(ra[inside], dec[inside]).all()


def test_healpix_mask_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "astropy_healpix", None)
    with pytest.raises(MissingExtraError, match="astropy-healpix"):
        HealpixMask(mask=np.ones(12, dtype=bool))


def test_footprint_of_a_real_schedule(data_dir: Path):
    deep = from_schedule(data_dir / "cadences" / "sv_db_subsampled.db", min_visits=50)
    wide = from_schedule(data_dir / "cadences" / "sv_db_subsampled.db")
    assert deep.contains(226.0, -40.0) and deep.area < wide.area
    stars = draw_positions("RRLYR", np.arange(300), 1, footprint=deep)
    assert deep.contains(stars.ra, stars.dec).all()
    with pytest.raises(CadenceError, match="the most is"):
        from_schedule(data_dir / "cadences" / "sv_db_subsampled.db", min_visits=100_000)


# ---------------------------------------------------------------- densities
def test_every_class_has_components_that_are_known():
    assert set(CLASS_COMPONENTS) == set(CLASSES)
    for table in CLASS_COMPONENTS.values():
        assert set(table) <= set(COMPONENTS)
    assert all(isinstance(c, Component) for c in COMPONENTS.values())


@pytest.mark.parametrize("name", COMPONENTS)
def test_densities_fall_outwards(name):
    component = COMPONENTS[name]
    ra, dec, _ = component.cap if component.cap[2] < 180 else (266.405, -28.936, 0.0)
    middle = 8.122 if component.cap[2] == 180 or "bulge" in name else 0.5 * sum(component.reach)
    centre = component.density(*galactocentric(ra, dec, middle))
    off = component.density(*galactocentric(ra + 20.0, dec + 20.0, middle + 2.0))
    assert np.isfinite(centre) and centre > 3 * off >= 0


def test_near_end_of_the_bar_is_at_positive_longitude():
    bar = COMPONENTS["bulge"]
    left, right = (draw_positions("LPV", np.arange(1500), 2, footprint=Circle(ra=float(a), dec=float(d), radius=2.0),
                                  components={"LPV": {bar: 1.0}}).distance
                   for a, d in (icrs(6.0, -3.0), icrs(-6.0, -3.0)))  # fmt: skip
    assert np.median(left) < np.median(right) - 500.0


def test_near_side_of_the_lmc_is_in_the_north_east():
    stars = draw_positions("RRLYR", np.arange(6000), 2, components={"RRLYR": {"LMC young": 1.0}})
    a, d = np.radians(stars.ra - 80.4), np.radians(stars.dec)
    east, north = np.cos(d) * np.sin(a), np.sin(np.radians(stars.dec + 69.6))
    # position angle 59 deg is the near side of an inclined disc with nodes at 149 deg (Choi et al. 2018)
    along = np.degrees(east * np.sin(np.radians(59.23)) + north * np.cos(np.radians(59.23)))
    slope = np.polyfit(along, stars.distance / 1000.0, 1)[0]
    # a plane: dD/d(angle) = -D tan(i) pi/180 = -0.42 kpc/deg; the disc's thickness flattens what is seen
    assert -0.45 < slope < -0.15
    assert np.median(stars.distance) == pytest.approx(49_590, rel=0.01)


# ---------------------------------------------------------------- drawn positions against the densities
def test_halo_shells_follow_the_analytic_profile():
    halo = PowerLawHalo(name="round", flattening=1.0, inner=2.54, outer=5.42, break_radius=32.1)
    n = 20_000
    stars = draw_positions("RRLYR", np.arange(n), 11, components={"RRLYR": {halo: 1.0}})
    x, y, z = galactocentric(stars.ra, stars.dec, stars.distance / 1000.0)
    r = np.sqrt(x * x + y * y + z * z)
    grid = np.geomspace(0.01, 290.0, 20_000)
    profile = halo.density(grid, 0.0 * grid, 0.0 * grid) * grid**2
    below = np.concatenate([[0.0], np.cumsum(0.5 * (profile[1:] + profile[:-1]) * np.diff(grid))])
    cdf = np.interp(np.sort(r), grid, below / below[-1])
    distance = np.abs(cdf - (np.arange(n) + 0.5) / n).max()
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) at 0.1 %; a wrong exponent (2.54 to 2.7) gives 0.05
    assert distance < 1.95 / np.sqrt(n)
    # isotropic about the centre: each mean direction cosine is 0 within 4 standard errors
    for c in (x / r, y / r, z / r):
        assert abs(c.mean()) < 4 / np.sqrt(3 * n)


def test_disc_heights_and_radii_follow_the_analytic_profile():
    disc = ExponentialDisc(name="disc", scale_length=2.6, scale_height=0.3)
    n = 20_000
    stars = draw_positions("ECL", np.arange(n), 12, components={"ECL": {disc: 1.0}})
    x, y, z = galactocentric(stars.ra, stars.dec, stars.distance / 1000.0)
    height = np.sort(np.abs(z))
    cdf = 1.0 - np.exp(-height / 0.3)
    # cells have a size: allow 1.95 / sqrt(n) and half a per cent; 0.3 against 0.33 kpc gives 0.035
    assert np.abs(cdf - (np.arange(n) + 0.5) / n).max() < 1.95 / np.sqrt(n) + 0.005
    radius = np.sort(np.hypot(x, y))
    inside = 1.0 - np.exp(-radius / 2.6) * (1.0 + radius / 2.6)
    inside /= 1.0 - np.exp(-20 / 2.6) * (1.0 + 20 / 2.6)
    assert np.abs(inside - (np.arange(n) + 0.5) / n).max() < 1.95 / np.sqrt(n) + 0.005


def test_distances_along_one_line_of_sight():
    # in a narrow field the distances follow density times distance squared along it
    field = Circle(ra=60.0, dec=-40.0, radius=0.5)
    n = 5000
    stars = draw_positions("RRLYR", np.arange(n), 13, footprint=field, components={"RRLYR": {"halo": 1.0}})
    grid = np.geomspace(0.05, 300.0, 20_000)
    halo = COMPONENTS["halo"]
    profile = halo.density(*galactocentric(60.0, -40.0, grid)) * grid**2
    below = np.concatenate([[0.0], np.cumsum(0.5 * (profile[1:] + profile[:-1]) * np.diff(grid))])
    cdf = np.interp(np.sort(stars.distance / 1000.0), grid, below / below[-1])
    assert np.abs(cdf - (np.arange(n) + 0.5) / n).max() < 1.95 / np.sqrt(n)


def test_component_shares_follow_counts_and_footprint():
    shares = component_shares("CEP")
    assert shares["LMC young"] == pytest.approx(4620 / (4620 + 4915 + 3352), rel=0.01)
    assert component_shares("CEP", footprint=Circle(ra=80.4, dec=-69.6, radius=2.0))["LMC young"] > 0.99
    near = component_shares("RRLYR", max_distance=20_000.0)
    assert near["LMC old"] == 0.0 and sum(near.values()) == pytest.approx(1.0)
    stars = draw_positions("CEP", np.arange(4000), 1)
    found = np.mean(stars.component == "SMC young")
    assert abs(found - shares["SMC young"]) < 4 * np.sqrt(0.25 / 4000)


def test_distance_limits_are_kept():
    stars = draw_positions("RRLYR", np.arange(500), 1, min_distance=5_000.0, max_distance=9_000.0)
    assert stars.distance.min() >= 5_000.0 and stars.distance.max() <= 9_000.0


def test_a_star_does_not_depend_on_its_batch():
    classes = np.resize(["RRLYR", "CEP", "ECL", "LPV"], 240)
    whole = draw_positions(classes, np.arange(240), 5, footprint=DecBand())
    for start, stop in ((0, 1), (7, 50), (200, 240)):
        part = draw_positions(classes[start:stop], np.arange(start, stop), 5, footprint=DecBand())
        for name in ("ra", "dec", "distance", "component"):
            assert np.array_equal(getattr(part, name), getattr(whole, name)[start:stop])
    other = draw_positions(classes, np.arange(240), 6, footprint=DecBand())
    assert not np.array_equal(other.ra, whole.ra)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"classes": "NOVA"}, UnknownNameError, "unknown class"),
        ({"components": {"RRLYR": {"arm": 1.0}}}, UnknownNameError, "unknown component"),
        ({"components": {"RRLYR": {"halo": -1.0}}}, InputError, "not negative"),
        (
            {"components": {"RRLYR": {"LMC old": 1.0}}, "footprint": Circle(ra=0, dec=50, radius=2)},
            InputError,
            "within",
        ),
        ({"min_distance": 10.0, "max_distance": 10.0}, InputError, "min_distance"),
        ({"classes": ["RRLYR", "CEP"]}, InputError, "one for each"),
        ({"footprint": "LSST"}, InputError, "footprint must have"),
        ({"ids": [0.5]}, InputError, "whole numbers"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    given_arguments = {"classes": "RRLYR", "ids": [1, 2, 3], "seed": 1} | arguments
    with pytest.raises(error, match=message):
        draw_positions(**given_arguments)


def test_no_stars_is_no_error():
    assert len(draw_positions("RRLYR", [], 1)) == 0


def test_drawn_cepheids_look_like_those_of_the_lmc(data_dir: Path):
    from lcgen.catalog import read_ogle_ident
    from lcgen.sky import VisitFootprint

    table = read_ogle_ident(data_dir / "catalogs" / "ogle4_lmc_cep_ident.dat")
    ra, dec = np.asarray(table["ra"], dtype=float), np.asarray(table["dec"], dtype=float)
    grid = RowGrid(step=0.5)
    area = VisitFootprint(grid=grid, visits=np.bincount(grid.index(ra, dec), minlength=grid.size), min_visits=2)
    drawn = draw_positions("CEP", np.arange(5000), 1, footprint=area)
    for real, made in ((ra, drawn.ra), (dec, drawn.dec)):
        assert np.std(made) == pytest.approx(np.std(real), rel=0.15)
        assert abs(np.median(made) - np.median(real)) < 0.25 * np.std(real)


# ---------------------------------------------------------------- dust
@pytest.mark.parametrize(
    "dust", [ConstantDust(value=0.1), SmoothDust(), FunctionDust(function=lambda a, d, r: np.zeros(r.shape))]
)
def test_dust_maps_agree_on_shapes(dust):
    assert isinstance(dust, DustMap)
    assert dust.ebv(10.0, 20.0, 1000.0).shape == (1,)
    assert dust.ebv([10.0, 11.0], [20.0, 21.0], 1000.0).shape == (2,)
    assert (dust.ebv([10.0, 11.0], [20.0, 21.0], np.inf) >= 0).all()
    with pytest.raises(InputError, match="positive distances"):
        dust.ebv(10.0, 20.0, -1.0)
    with pytest.raises(InputError, match="finite ra"):
        dust.ebv(np.nan, 20.0, 1.0)


def test_smooth_dust_against_the_analytic_integral():
    dust = SmoothDust()
    lon, lat = icrs(np.array([90.0]), np.array([90.0]))
    z = 0.0208
    k, h = dust.local, dust.scale_height
    # towards the pole the radius stays, up to the tilt of the frames: k h exp(-z0/h) (1 - exp(-d/h))
    for d in (0.05, 0.2, 30.0):
        expected = k * h * np.exp(-z / h) * (1 - np.exp(-d / h))
        assert dust.ebv(lon, lat, 1000.0 * d)[0] == pytest.approx(expected, rel=0.01)
    ra, dec = on_the_sphere(300, 3)
    near, far = dust.ebv(ra, dec, 500.0), dust.ebv(ra, dec, 5000.0)
    assert (far > near).all()


def test_smooth_dust_is_of_the_size_of_published_reddenings():
    # Schlafly & Finkbeiner 2011 by NED, A_V, at high latitudes: l, b, A_V
    ned = np.array([[127.618, -62.794, 0.078], [284.9, 46.1, 0.161], [75.0, -89.0, 0.040], [305.0, 37.0, 0.221]])
    made = 3.1 * SmoothDust().ebv(*icrs(ned[:, 0], ned[:, 1]), np.inf)
    assert abs(np.log(made / ned[:, 2]).mean()) < np.log(1.35)


class _Query:
    def __init__(self, values):
        self.values, self.coords = values, None

    def query(self, coords, **options):
        self.coords = coords
        return np.broadcast_to(self.values, coords.shape).copy()


def test_dustmaps_queries_are_wrapped():
    query = _Query(0.2)
    dust = DustMapsQuery(query, scale=0.86)
    assert dust.ebv([10.0, 11.0], [5.0, 6.0], [100.0, 200.0]) == pytest.approx([0.172, 0.172])
    assert query.coords.distance.pc == pytest.approx([100.0, 200.0])
    flat = DustMapsQuery(query, uses_distance=False)
    flat.ebv(10.0, 5.0, 100.0)
    assert query.coords.distance.unit == ""
    with pytest.raises(InputError, match="no usable"):
        DustMapsQuery(_Query(np.nan)).ebv(10.0, 5.0, 100.0)
    filled = DustMapsQuery(_Query(np.nan), fill=ConstantDust(value=0.3)).ebv(10.0, 5.0, 100.0)
    assert filled.tolist() == [0.3]


def test_missing_maps_are_told(monkeypatch, tmp_path, capsys):
    with pytest.raises(UnknownNameError, match="dust map"):
        DustMapsQuery("sdf")
    with pytest.raises(InputError, match="method 'query'"):
        DustMapsQuery(7)
    # a configuration of our own: that of the user, or the lack of one, is not touched
    rc_file = tmp_path / "dustmapsrc"
    rc_file.write_text(json.dumps({"data_dir": str(tmp_path)}))
    monkeypatch.setenv("DUSTMAPS_CONFIG_FNAME", str(rc_file))
    config = pytest.importorskip("dustmaps.config").config
    monkeypatch.setattr(config, "fname", str(rc_file))
    for folder in (str(tmp_path), None):
        monkeypatch.setattr(config, "_options", {"data_dir": folder})
        for name in ("sfd", "bayestar"):
            with pytest.raises(DataError, match="fetch"):
                DustMapsQuery(name)
    assert capsys.readouterr().out == ""
    monkeypatch.setitem(sys.modules, "dustmaps.sfd", None)
    with pytest.raises(MissingExtraError, match="dustmaps"):
        DustMapsQuery("sfd")


def test_constant_and_function_dust_refuse_nonsense():
    with pytest.raises(InputError, match="not negative"):
        ConstantDust(value=-0.1)
    with pytest.raises(InputError, match="positive"):
        SmoothDust(scale_height=0.0)
    with pytest.raises(InputError, match="must return"):
        FunctionDust(function=lambda a, d, r: [1.0, 2.0, 3.0]).ebv([1.0, 2.0], [1.0, 2.0], 10.0)
    with pytest.raises(InputError, match="no usable"):
        FunctionDust(function=lambda a, d, r: -r).ebv([1.0, 2.0], [1.0, 2.0], 10.0)


@given(ebv=st.floats(0, 30), r_v=st.floats(2, 6))
def test_extinction_and_reddening_invert(ebv, r_v):
    a_v, _ = extinction_columns(e_bv=[ebv], r_v=r_v)
    _, back = extinction_columns(a_v=a_v, r_v=r_v)
    assert back[0] == pytest.approx(ebv)
    both = extinction_columns(a_v=a_v, e_bv=[ebv], r_v=r_v)
    assert both[0][0] == a_v[0] and both[1][0] == ebv


def test_contradictory_extinction_is_refused():
    a_v, e_bv = extinction_columns(a_v=[0.31, np.nan, np.nan], e_bv=[np.nan, 0.2, np.nan])
    assert a_v[:2].tolist() == pytest.approx([0.31, 0.62]) and e_bv[0] == pytest.approx(0.1)
    assert np.isnan(a_v[2]) and np.isnan(e_bv[2])
    with pytest.raises(InputError, match=r"contradict each other at R_V = 3\.1"):
        extinction_columns(a_v=[0.31, 0.5], e_bv=[0.1, 0.1])
    with pytest.raises(InputError, match="r_v"):
        extinction_columns(a_v=[0.3], r_v=0.0)
