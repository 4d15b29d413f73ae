"""Fourier series of many stars, against lcgen's of one."""

from __future__ import annotations

import numpy as np

from lcgen.prepare.fourier import fit_fourier
from lcgen_maf.series import fit_series, harmonic_columns


def test_a_series_is_found_again() -> None:
    random = np.random.default_rng(1)
    phase = random.random((4, 200))
    coefficients = 0.2 * random.normal(size=(4, 3, 2)) / np.arange(1, 4)[:, None]
    value = np.einsum("nmk,nk->nm", harmonic_columns(phase, 3), coefficients.reshape(4, 6))
    value[:, :80] += 15.0
    value[:, 80:] += 16.5
    fit = fit_series(phase, value, np.full((4, 200), 1e6), (slice(0, 80), slice(80, 200)), n_harmonics=3)
    np.testing.assert_allclose(fit.coefficients, coefficients, atol=1e-4)
    np.testing.assert_allclose(fit.mean, [[15.0, 16.5]] * 4, atol=1e-4)
    grid = np.arange(16) / 16.0
    curve = np.einsum("mk,nk->nm", harmonic_columns(grid, 3), coefficients.reshape(4, 6))
    np.testing.assert_allclose(fit.at(grid), curve, atol=1e-4)


def test_sizes_agree_with_the_series_of_lcgen() -> None:
    # 60 saw-toothed curves with noise of a tenth of the amplitude: the exponent of the prior is what differs
    random = np.random.default_rng(2)
    n, m = 60, 120
    phase = random.random((n, m))
    value = 18.0 + 0.8 * (phase - 0.5) + random.normal(0, 0.08, (n, m))
    weight = np.full((n, m), 0.08**-2.0)
    weight[:, ::7] = 0.0  # not measured
    fit = fit_series(phase, value, weight, (slice(None),), n_harmonics=8)
    other = []
    for k in range(n):
        use = weight[k] > 0
        one = fit_fourier(phase[k, use], value[k, use], np.full(use.sum(), 0.08), n_harmonics=8)
        other.append((np.ptp(one(np.arange(256) / 256.0)), one.mean))
    amplitude, mean = np.array(other).T
    np.testing.assert_allclose(fit.mean[:, 0], mean, atol=0.02)
    assert abs(np.mean(fit.amplitude / amplitude) - 1.0) < 0.03
    assert np.std(fit.amplitude / amplitude) < 0.06


def test_few_measurements_have_few_harmonics() -> None:
    phase = np.array([[0.0, 0.3, 0.55, 0.8, 0.9, 0.95]])
    value = np.cos(2.0 * np.pi * phase)
    fit = fit_series(phase, value, np.full((1, 6), 1e4), (slice(None),), n_harmonics=6)
    assert np.abs(fit.coefficients[0, 2:]).max() < 1e-6
