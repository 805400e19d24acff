"""A second, slow fit without shared code: explicit Fourier matrix, closed forms, numeric Jacobian.

It knows components as lists of lines (frequency Hz, complex weight), so that the delay is exact.
"""

import numpy as np
from scipy.optimize import least_squares


def oracle_fit(data, *, lines, time, window, delay_sd, shift_sd=None, guess):
    """Return amplitudes and non-linear parameters of the posterior mode.

    `data` is an FID in units of its noise; `window` (Hz) selects bins about its centre; `lines` is
    a list, one entry per component, of (frequency, weight) pairs; `guess` is
    (shift, lorentz, gauss, phase at the centre, delay, own shifts ...).
    """
    n = time.size
    dwell = time[1] - time[0]
    centre = 0.5 * (window[0] + window[1])
    steps = np.arange(n) - n // 2
    frequency = steps / (n * dwell)
    frequency = frequency[np.abs(frequency) <= 0.5 * (window[1] - window[0])]
    index = np.arange(n)
    fourier = np.exp(-2j * np.pi * np.outer(frequency * dwell + centre * dwell, index)) / np.sqrt(n)
    fourier *= np.exp(-2j * np.pi * centre * time[0])
    target = fourier @ data
    movers = [] if shift_sd is None else [k for k, sd in enumerate(shift_sd) if sd > 0]

    def columns(x):
        shift, lorentz, gauss, phase, delay = x[:5]
        t = time + delay
        own = np.zeros(len(lines))
        own[movers] = x[5:]
        decay = np.exp(-np.pi * lorentz * t - (np.pi * gauss * t) ** 2 / (4 * np.log(2)))
        result = []
        for k, component in enumerate(lines):
            total = sum(w * np.exp(2j * np.pi * (f + shift + own[k]) * t) for f, w in component)
            # The phase is that of the centre: a delay alone does not turn it.
            turn = np.exp(1j * (phase - 2 * np.pi * centre * delay))
            result.append(fourier @ (turn * decay * total))
        return np.array(result).T

    def amplitudes(x):
        model = columns(x)
        real = np.vstack([model.real, model.imag])
        return np.linalg.lstsq(real, np.concatenate([target.real, target.imag]), rcond=None)[0]

    def residual(x):
        left = target - columns(x) @ amplitudes(x)
        priors = [x[4] / delay_sd, *(x[5:] / np.array([shift_sd[k] for k in movers]))]
        return np.concatenate([left.real, left.imag, priors])

    scale = np.concatenate([[1.0, 1.0, 1.0, 0.1, 1e-4], np.ones(len(movers))])
    found = least_squares(
        residual, guess, jac="3-point", x_scale=scale, xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    return amplitudes(found.x), found.x
