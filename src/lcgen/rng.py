"""Random streams that belong to stars, not to the order of execution.

Each star has streams of its own, named by (seed, purpose, star index), from the counter-based generator Philox
(Salmon et al. 2011, doi:10.1145/2063384.2063405). So a star is the same whatever the batch size, the number of
workers or the order, and asking for noise never moves the stars.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

# Philox with four words of 64 bits and ten rounds: multipliers and steps of the key (Salmon et al. 2011), as in the
# Random123 library and numpy.
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_KEY_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_ROUNDS = 10
# From this many stars on it is faster to turn the rounds for all stars at once than to have numpy do it star by star,
# and from this many numbers a star on it no longer is.
_MANY_STARS, _MANY_NUMBERS = 200, 64
# Stars of one turn, so that the words stay in the processor's cache.
_AT_ONCE = 4096

__all__ = ["check_seed", "new_seed", "normals", "star_streams", "stream", "uniforms"]


def check_seed(seed: object) -> int:
    """`seed` as a Python integer in [0, 2^63).

    Raises
    ------
    InputError
        If it is not a whole number in that range.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise InputError(f"seed must be a whole number, received {seed!r}")
    value = int(seed)
    if not 0 <= value < 2**63:
        raise InputError(f"seed must lie in [0, 2^63), received {value}")
    return value


def new_seed() -> int:
    """A seed from the operating system's entropy, for callers that gave none."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(1))


def _key(seed: int, purpose: str) -> int:
    digest = hashlib.blake2b(f"{check_seed(seed)}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The random generator of one star and purpose.

    Parameters
    ----------
    seed : int
        The user's seed.
    purpose : str
        What the numbers are for; streams of different purposes are independent.
    index : int
        Index of the star.

    Examples
    --------
    >>> a = stream(1, "noise", 5).random()
    >>> a == stream(1, "noise", 5).random(), a == stream(1, "noise", 6).random()
    (True, False)
    """
    key = np.array([_key(seed, purpose), int(index)], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def star_streams(seed: int, purpose: str, indices: ArrayLike) -> Iterator[np.random.Generator]:
    """The generators of many stars, one after the other; each equals ``stream(seed, purpose, index)``.

    One generator object is re-keyed in place, which is several times faster than making one a star: use each
    before asking for the next.
    """
    key = _key(seed, purpose)
    bits = np.random.Philox(key=np.array([key, 0], dtype=np.uint64))
    state = bits.state
    generator = np.random.Generator(bits)
    for index in np.asarray(indices, dtype=np.int64).tolist():
        state["state"]["key"] = np.array([key, index], dtype=np.uint64)
        bits.state = state
        yield generator


def uniforms(seed: int, purpose: str, indices: ArrayLike, n: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), `n` a star.

    Returns
    -------
    ndarray, shape (n_stars, n)
    """
    indices = np.atleast_1d(np.asarray(indices, dtype=np.int64))
    out = np.empty((indices.size, n))
    if indices.size >= _MANY_STARS and n <= _MANY_NUMBERS:
        key = _key(seed, purpose)
        for start in range(0, indices.size, _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            # numpy takes the upper 53 bits of each word
            out[rows] = (_philox(key, indices[rows].astype(np.uint64), n) >> np.uint64(11)) * 2.0**-53
        return out
    for row, generator in zip(out, star_streams(seed, purpose, indices), strict=True):
        generator.random(out=row)
    return out


def _philox(key: int, indices: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """The first `n` words of the streams with keys (`key`, index), shape (n_stars, n)."""
    blocks = -(-n // 4)
    shape = (indices.size, blocks)
    words = [np.zeros(shape, dtype=np.uint64) for _ in range(4)]
    words[0] += np.arange(1, blocks + 1, dtype=np.uint64)  # numpy counts on before it takes numbers
    first, second = key, indices[:, None].copy()
    for _ in range(_ROUNDS):
        high0, low0 = _wide_product(_MULTIPLIERS[0], words[0])
        high1, low1 = _wide_product(_MULTIPLIERS[1], words[2])
        high1 ^= words[1]
        high1 ^= np.uint64(first)
        high0 ^= words[3]
        high0 ^= second
        words = [high1, low1, high0, low0]
        first = (first + _KEY_STEPS[0]) % 2**64
        second += np.uint64(_KEY_STEPS[1])  # modulo 2^64
    return np.stack(words, axis=2).reshape(indices.size, 4 * blocks)[:, :n]


def _wide_product(factor: int, values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Upper and lower 64 bits of products, from those of halves."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    low_factor, high_factor = np.uint64(factor & 0xFFFFFFFF), np.uint64(factor >> 32)
    low, high = values & mask, values >> half
    middle = low * low_factor
    middle >>= half
    low *= high_factor
    middle += low
    cross = high * low_factor
    middle += cross & mask
    cross >>= half
    middle >>= half
    high *= high_factor
    high += cross
    high += middle
    return high, values * np.uint64(factor)


def normals(seed: int, purpose: str, indices: ArrayLike, n: int) -> NDArray[np.float64]:
    """Standard normal numbers, `n` a star, by inversion of :func:`uniforms`.

    Returns
    -------
    ndarray, shape (n_stars, n)
    """
    from scipy.special import ndtri

    # random() gives multiples of 2^-53 in [0, 1): the clip keeps clear of ndtri(0) = -inf
    return ndtri(np.clip(uniforms(seed, purpose, indices, n), 2.0**-54, None))
