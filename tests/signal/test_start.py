"""Where a fit starts, and from which point on the components explain an FID."""

from __future__ import annotations

import numpy as np

from mrs_disc.signal.fit.start import WIDTHS_HZ, StartGrid

DWELL_S, N_POINTS, N_STARTS = 1e-3, 96, 6
HZ = np.array([-60.0, 25.0])


def explained(data: np.ndarray, fids: np.ndarray, hz: float, width_hz: float) -> float:
    """Return the share that upright lines explain: by least squares at each phase, the best."""
    time = DWELL_S * np.arange(N_POINTS)[8:]
    lines = fids[:, 8:] * np.exp((2j * np.pi * hz - np.pi * width_hz) * time)
    design = np.concatenate([lines.real, lines.imag], axis=1).T
    turned = data[8:, None] * np.exp(-1j * np.arange(0, np.pi, 2e-3))
    amplitude = np.linalg.lstsq(design, np.concatenate([turned.real, turned.imag]))[0]
    gain = np.sum((design @ amplitude) ** 2, axis=0)
    size = amplitude[:, np.argmax(gain)] * np.linalg.norm(design, axis=0)
    upright = abs(size.sum()) / np.abs(size).sum()
    return float(gain.max() * upright / np.sum(np.abs(data[8:]) ** 2))


def test_the_share_from_each_start_is_that_of_least_squares():
    """The transforms are of single precision; a phase is known to 1 mrad here, which tells more."""
    rng = np.random.default_rng(3)
    time = DWELL_S * np.arange(N_POINTS + N_STARTS)
    fids = np.exp(2j * np.pi * HZ[:, None] * time)
    early = DWELL_S * 3  # the echo lies at the third point
    data = np.array([2.0, 1.0]) @ np.exp(2j * np.pi * (HZ[:, None] + 2.0) * (time - early))
    data = data * np.exp(0.7j - 25 * np.abs(time - early))
    data = data + 0.05 * (rng.standard_normal(time.size) + 1j * rng.standard_normal(time.size))
    grid = StartGrid(fids[:, :N_POINTS], dwell_time_s=DWELL_S, start_time_s=0.0)
    shifts = np.fft.fftfreq(400, DWELL_S)
    shifts = shifts[np.abs(shifts) <= 5]

    shares = grid.upright_shares(data[:-1], 5.0)

    for start in (0, 3):
        part = data[start : start + N_POINTS]
        wanted = max(explained(part, fids[:, :N_POINTS], f, w) for f in shifts for w in WIDTHS_HZ)
        np.testing.assert_allclose(shares[start], wanted, atol=2e-5)
    assert int(np.argmax(shares)) == 3
