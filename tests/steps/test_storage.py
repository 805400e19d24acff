"""A signal that was zero-filled or filtered before it was stored gives what the bare one gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mrs_disc.recipe import Recipe
from mrs_disc.steps import fit, grade, preprocess


def changed(disc, change):
    """Return the disc with metabolites and water changed alike, by points."""

    def one(signal):
        return replace(signal, signal=change(signal.signal))

    return replace(disc, metabolite=one(disc.metabolite), water=one(disc.water))


def zero_filled(n):
    return lambda x: np.concatenate([x, np.zeros((*x.shape[:-1], n), x.dtype)], axis=-1)


def broadened(hz):
    return lambda x: x * np.exp(-np.pi * hz * 4e-4 * np.arange(x.shape[-1]))


def kinds(found):
    return {one.kind: dict(one.values) for one in found.findings}


@pytest.mark.parametrize("n", [1, 64, 3072])
def test_zeros_at_the_end_change_nothing(n, disc):
    bare = preprocess(disc, Recipe())
    found = preprocess(changed(disc, zero_filled(n)), Recipe())
    assert kinds(found)["zeros_cut"] == {"n": n}
    assert np.array_equal(found.fid.signal, bare.fid.signal)
    assert np.array_equal(found.water.signal, bare.water.signal)
    (cut,) = (step for step in found.fid.history if step.step == "storage")
    assert cut.measured["n_zeros"] == n
    assert not [step for step in bare.fid.history if step.step == "storage"]


@pytest.mark.parametrize("hz", [1.0, 3.0])
def test_a_filter_is_divided_out_and_the_noise_is_right(hz, disc):
    whole = preprocess(disc, Recipe())
    bare = fit(whole, Recipe())
    prepared = preprocess(changed(disc, broadened(hz)), Recipe())
    undone = kinds(prepared)["filter_undone"]
    assert undone["width_hz"] == pytest.approx(hz, rel=0.3)
    assert prepared.n_transients == 16
    found = fit(prepared, Recipe())
    assert found.noise.residual_ratio < 1.2
    assert found.noise.sd == pytest.approx(bare.noise.sd, rel=0.1)
    snr, of_bare = grade(found, prepared, Recipe()).snr, grade(bare, whole, Recipe()).snr
    assert snr == pytest.approx(of_bare, rel=0.15)
    assert np.all(np.abs(found.amplitude - bare.amplitude) < np.maximum(found.sd, bare.sd))
