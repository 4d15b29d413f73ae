"""A synthetic schedule of any size in the schema of the Rubin Observatory's simulators (version 4, 47 columns).

    python benchmarks/synthetic_opsim.py OUT.db --visits 2000000 --seed 1

It is **not** a simulation of the survey: no scheduler, weather or telescope stands behind it. It has what matters for
tests of scale and of speed: the schema, the number of rows, pointings over the southern sky with dithers, nights in
order, pairs of visits, filters by the state of the Moon, five deep fields with sequences, and depths that follow
seeing, airmass and sky. The table ``metadata`` calls it synthetic.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

START_MJD = 60980.0
YEARS = 10.0
LATITUDE, LONGITUDE = -30.2446, -70.7494
BANDS = np.array(list("ugrizy"))
# Shares of the visits, dark sky [mag / arcsec^2], five-sigma depth and extinction per airmass [mag]: round numbers of
# the size of those in Ivezic et al. 2019 (ApJ 873, 111), tables 1 and 2.
SHARES = np.array([0.07, 0.09, 0.22, 0.22, 0.19, 0.21])
SKY = np.array([22.96, 22.26, 21.20, 20.48, 19.60, 18.61])
DEPTH = np.array([23.9, 25.0, 24.7, 24.0, 23.3, 22.1])
EXTINCTION = np.array([0.49, 0.21, 0.13, 0.10, 0.07, 0.17])
FILTERS = np.array(["u_24", "g_6", "r_57", "i_39", "z_20", "y_10"])
DEEP = {
    "elaiss1": (9.45, -44.0),
    "xmm": (35.7, -4.7),
    "ecdfs": (53.1, -28.1),
    "cosmos": (150.1, 2.2),
    "edfsa": (58.9, -49.3),
}
DEEP_SHARE = 0.06

COLUMNS: dict[str, str] = {
    "observationId": "INTEGER",
    "fieldRA": "REAL",
    "fieldDec": "REAL",
    "observationStartMJD": "REAL",
    "flush_by_mjd": "REAL",
    "visitExposureTime": "REAL",
    "band": "TEXT",
    "filter": "TEXT",
    "rotSkyPos": "REAL",
    "rotSkyPos_desired": "REAL",
    "numExposures": "INTEGER",
    "airmass": "REAL",
    "seeingFwhm500": "REAL",
    "seeingFwhmEff": "REAL",
    "seeingFwhmGeom": "REAL",
    "skyBrightness": "REAL",
    "night": "INTEGER",
    "slewTime": "REAL",
    "visitTime": "REAL",
    "slewDistance": "REAL",
    "fiveSigmaDepth": "REAL",
    "altitude": "REAL",
    "azimuth": "REAL",
    "paraAngle": "REAL",
    "pseudoParaAngle": "REAL",
    "cloud": "REAL",
    "moonAlt": "REAL",
    "sunAlt": "REAL",
    "scheduler_note": "TEXT",
    "target_name": "TEXT",
    "target_id": "INTEGER",
    "observationStartLST": "REAL",
    "rotTelPos": "REAL",
    "rotTelPos_backup": "REAL",
    "moonAz": "REAL",
    "sunAz": "REAL",
    "sunRA": "REAL",
    "sunDec": "REAL",
    "moonRA": "REAL",
    "moonDec": "REAL",
    "moonDistance": "REAL",
    "solarElong": "REAL",
    "moonPhase": "REAL",
    "cummTelAz": "REAL",
    "observation_reason": "TEXT",
    "science_program": "TEXT",
    "cloud_extinction": "REAL",
}


def horizontal(ra: np.ndarray, dec: np.ndarray, lst: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Altitude, azimuth and parallactic angle [deg]."""
    hour, d, lat = np.radians(lst - ra), np.radians(dec), np.radians(LATITUDE)
    altitude = np.arcsin(np.sin(d) * np.sin(lat) + np.cos(d) * np.cos(lat) * np.cos(hour))
    azimuth = np.arctan2(-np.cos(d) * np.sin(hour), np.sin(d) * np.cos(lat) - np.cos(d) * np.sin(lat) * np.cos(hour))
    parallactic = np.arctan2(np.sin(hour), np.tan(lat) * np.cos(d) - np.sin(d) * np.cos(hour))
    return np.degrees(altitude), np.degrees(azimuth) % 360.0, np.degrees(parallactic)


def separation(ra: np.ndarray, dec: np.ndarray, ra0: np.ndarray, dec0: np.ndarray) -> np.ndarray:
    """Great-circle distance [deg]."""
    a, d, a0, d0 = (np.radians(v) for v in (ra, dec, ra0, dec0))
    return np.degrees(np.arccos(np.clip(np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(a - a0), -1, 1)))


def night_of(number: int, visits: int, first: int, rng: np.random.Generator) -> dict[str, Any]:
    """All columns of one night."""
    midnight = START_MJD + number - LONGITUDE / 360.0
    sun_longitude = np.radians((280.466 + 0.9856474 * (midnight - 51544.5)) % 360.0)
    sun_ra = np.degrees(np.arctan2(0.9175 * np.sin(sun_longitude), np.cos(sun_longitude))) % 360.0
    sun_dec = np.degrees(np.arcsin(0.3978 * np.sin(sun_longitude)))
    phase = ((midnight - 51549.76) / 29.530589) % 1.0
    moon = 0.5 * (1.0 - np.cos(2 * np.pi * phase))
    half = 0.16 + 0.03 * np.cos(2 * np.pi * (number - 150.0) / 365.25)
    mjd = midnight + np.linspace(-half, half, visits, endpoint=False)
    lst = (280.4606 + 360.9856473 * (mjd - 51544.5) + LONGITUDE) % 360.0

    # blocks of about 25 pointings near the meridian, each done twice half an hour later in another band
    block = np.arange(visits) // 25
    pair = block // 2
    n_pairs = int(pair.max()) + 1
    start = lst[np.minimum(np.arange(n_pairs) * 50, visits - 1)]
    centre_ra = start + rng.normal(10.0, 20.0, n_pairs)
    centre_dec = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(-70.0)), np.sin(np.radians(8.0)), n_pairs)))
    step = np.arange(visits) % 25
    seeds = rng.normal(0.0, 0.35, (2, n_pairs))
    dec = np.clip(centre_dec[pair] + 2.8 * (step // 5 - 2) + seeds[1][pair], -89.0, 34.0)
    ra = centre_ra[pair] + 2.9 * (step % 5 - 2) / np.cos(np.radians(dec)) + seeds[0][pair]
    bright = moon > 0.4
    chance = SHARES * np.where(np.isin(BANDS, ["u", "g"]), 0.15 if bright else 2.0, 1.0 if bright else 0.8)
    first_band = rng.choice(6, n_pairs, p=chance / chance.sum())
    second_band = np.clip(first_band + rng.choice([-1, 1], n_pairs), 0, 5)
    band = np.where(block % 2 == 0, first_band[pair], second_band[pair])

    deep_name = np.full(visits, "", dtype=object)
    for name, (ra0, dec0) in DEEP.items():
        up = np.abs((lst[visits // 2] - ra0 + 180.0) % 360.0 - 180.0) < 60.0
        if up and rng.random() < 0.4:
            n = min(int(visits * DEEP_SHARE * 1.6) + 1, visits)
            begin = int(rng.integers(0, visits - n + 1))
            rows = slice(begin, begin + n)
            angle, distance = rng.uniform(0, 2 * np.pi), 0.7 * np.sqrt(rng.random())
            ra[rows] = ra0 + distance * np.cos(angle) / np.cos(np.radians(dec0))
            dec[rows] = dec0 + distance * np.sin(angle)
            band[rows] = np.sort(rng.choice(6, n, p=chance / chance.sum()))
            deep_name[rows] = name
    ra %= 360.0
    altitude, azimuth, parallactic = horizontal(ra, dec, lst)
    airmass = 1.0 / np.sin(np.radians(np.clip(altitude, 25.0, 90.0)))
    moon_ra = (np.degrees(sun_longitude) + 360.0 * phase) % 360.0
    moon_dec = 23.4 * np.sin(np.radians(moon_ra))
    moon_alt, moon_az, _ = horizontal(np.full(visits, moon_ra), np.full(visits, moon_dec), lst)
    sun_alt, sun_az, _ = horizontal(np.full(visits, sun_ra), np.full(visits, sun_dec), lst)
    moon_distance = separation(ra, dec, np.full(visits, moon_ra), np.full(visits, moon_dec))
    zenith = 0.72 * np.exp(rng.normal(0.0, 0.22) + rng.normal(0.0, 0.05, visits))
    effective = 1.15 * np.hypot(zenith * airmass**0.6, 0.4)
    sky = SKY[band] - np.where(moon_alt > 0, 3.0 * moon * np.array([1, 1, 0.7, 0.4, 0.2, 0.1])[band], 0.0)
    cloud = np.clip(rng.normal(0.05, 0.05), 0.0, 1.0)
    depth = DEPTH[band] + 2.5 * np.log10(0.9 / effective) + 0.5 * (sky - SKY[band])
    depth -= EXTINCTION[band] * (airmass - 1.0) + cloud
    rotation = (rng.uniform(0, 360) + parallactic) % 360.0
    note = np.where(deep_name != "", "DD:" + deep_name.astype(str), "pair_33, " + BANDS[band].astype(object))
    return {
        "observationId": first + np.arange(visits),
        "fieldRA": ra,
        "fieldDec": dec,
        "observationStartMJD": mjd,
        "flush_by_mjd": mjd + 0.04,
        "visitExposureTime": np.where(band == 0, 38.0, 29.2),
        "band": BANDS[band],
        "filter": FILTERS[band],
        "rotSkyPos": rotation,
        "rotSkyPos_desired": rotation,
        "numExposures": np.where(band == 0, 1, 2),
        "airmass": airmass,
        "seeingFwhm500": zenith,
        "seeingFwhmEff": effective,
        "seeingFwhmGeom": 0.822 * effective + 0.052,
        "skyBrightness": sky,
        "night": np.full(visits, number),
        "slewTime": np.where(step == 0, 20.0, 4.8) + rng.exponential(0.5, visits),
        "visitTime": np.where(band == 0, 39.0, 34.0),
        "slewDistance": np.where(step == 0, 25.0, 3.0) + rng.exponential(0.5, visits),
        "fiveSigmaDepth": depth,
        "altitude": altitude,
        "azimuth": azimuth,
        "paraAngle": parallactic % 360.0,
        "pseudoParaAngle": parallactic,
        "cloud": np.full(visits, cloud),
        "moonAlt": moon_alt,
        "sunAlt": sun_alt,
        "scheduler_note": note,
        "target_name": np.where(deep_name != "", "ddf_" + deep_name.astype(str), "lowdust"),
        "target_id": first // 50 + pair,
        "observationStartLST": lst,
        "rotTelPos": (parallactic - rotation + 180.0) % 360.0 - 180.0,
        "rotTelPos_backup": np.zeros(visits),
        "moonAz": moon_az,
        "sunAz": sun_az,
        "sunRA": np.full(visits, sun_ra),
        "sunDec": np.full(visits, sun_dec),
        "moonRA": np.full(visits, moon_ra),
        "moonDec": np.full(visits, moon_dec),
        "moonDistance": moon_distance,
        "solarElong": separation(ra, dec, np.full(visits, sun_ra), np.full(visits, sun_dec)),
        "moonPhase": np.full(visits, 100.0 * moon),
        "cummTelAz": (azimuth + 180.0) % 360.0 - 180.0,
        "observation_reason": np.where(deep_name != "", "ddf_" + deep_name.astype(str), "pairs_33"),
        "science_program": np.full(visits, "SYNTHETIC"),
        "cloud_extinction": np.full(visits, cloud),
    }


def write(path: Path, visits: int, seed: int) -> None:
    """Write the database; it appears under its name when it is whole."""
    rng = np.random.default_rng(seed)
    nights = int(YEARS * 365.25)
    usable = np.flatnonzero(rng.random(nights) < 0.82)
    edges = np.linspace(0, visits, usable.size + 1).astype(int)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    holders = ", ".join("?" * len(COLUMNS))
    with closing(sqlite3.connect(temporary)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"CREATE TABLE observations ({', '.join(f'{k} {v}' for k, v in COLUMNS.items())})")
        connection.execute("CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT)")
        what = {
            "synthetic": "yes: made by benchmarks/synthetic_opsim.py for tests of scale, by no simulator of the survey",
            "visits": str(visits),
            "seed": str(seed),
        }
        connection.executemany("INSERT INTO metadata VALUES (?, ?)", what.items())
        for number, a, b in zip(usable.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if b > a:
                columns = night_of(number, b - a, a, rng)
                rows = zip(*(np.asarray(columns[c]).tolist() for c in COLUMNS), strict=True)
                connection.executemany(f"INSERT INTO observations VALUES ({holders})", rows)
        connection.commit()
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--visits", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.visits < 1:
        parser.error("--visits must be 1 or more")
    begin = time.perf_counter()
    write(options.output, options.visits, options.seed)
    size = options.output.stat().st_size / 2**20
    print(f"{options.output}: {options.visits} synthetic visits, {size:.0f} MiB, {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
