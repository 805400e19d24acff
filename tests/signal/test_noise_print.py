"""One measurement is known again by its noise; two are never taken for one."""

import numpy as np
import pytest

from mrs_disc.signal.noise_print import noise_print, same_noise


def measured(seed: int, lines_of: int = 0) -> np.ndarray:
    """Return 4 coils x 16 transients of three lines; all seeds share coils and lines."""
    alike, rng = np.random.default_rng(lines_of), np.random.default_rng([seed, 7])
    time = 4e-4 * np.arange(1024)
    lines = sum(np.exp(2j * np.pi * hz * time - 60 * time) for hz in alike.uniform(-450, 0, size=3))
    coils = alike.normal(size=(4, 1, 1)) + 1j * alike.normal(size=(4, 1, 1))
    noise = rng.normal(size=(2, 4, 16, 1024))
    return 5 * coils * lines + noise[0] + 1j * noise[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: 1e-6 * s,
        lambda s: np.exp(1j) * s,
        np.conj,
        lambda s: s.astype(np.complex64),
        lambda s: s[..., :600],
        lambda s: np.pad(s, ((0, 0), (0, 0), (0, 1024))),
        lambda s: s[:, 3:],
        lambda s: s[:, ::-1],
        lambda s: s[::-1],
        lambda s: s.mean(axis=1),
        lambda s: s * np.exp(-np.pi * 4e-4 * np.arange(1024)),
    ],
    ids=["scaled", "phased", "conjugated", "rounded", "cut", "zero-filled", "fewer transients",
         "transients turned", "coils turned", "averaged", "filtered"],
)  # fmt: skip
def test_a_measurement_is_known_whatever_was_done_to_it(change):
    one = measured(1)
    assert same_noise(noise_print(one), noise_print(change(one)))


def test_measurements_of_the_same_lines_are_two():
    marks = [noise_print(measured(seed)) for seed in range(12)]
    assert not any(same_noise(a, b) for i, a in enumerate(marks) for b in marks[:i])


def test_a_disturbance_that_all_measurements_share_does_not_make_them_one():
    tone = 300 * np.exp(2j * np.pi * 1100 * 4e-4 * np.arange(1024))
    one, other = (noise_print(measured(seed) + tone) for seed in (1, 2))
    assert not same_noise(one, other)


def test_without_noise_nothing_is_said():
    time = 4e-4 * np.arange(1024)
    assert noise_print(np.exp(-60 * time) + 0j) is None
    assert noise_print(np.ones(300, complex)) is None
