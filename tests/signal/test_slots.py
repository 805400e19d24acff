"""The slots against the same sweep with plain matrices: no rank-one changes, one chain at a time.

That the draws are of the right law is asked in `test_fit_baseline`; here, that the fast algebra is
the plain one.
"""

import numpy as np
import pytest

from mrs_disc.signal.fit.slots import ROUNDING_PRECISION, SlotPrior, Slots

N_SLOTS, N_CHAINS = 10, 6


def law_of_areas(humps, *, curvature, force, mean, precision):
    """Return the occupied humps S, and covariance C and mean m of their areas."""
    S = [hump for hump in humps if hump is not None]
    own = precision + ROUNDING_PRECISION * np.diag(curvature)[S]
    C = np.linalg.inv(curvature[np.ix_(S, S)] + np.diag(own))
    return S, C, C @ (force[S] + precision * mean)


def plain_sweep(humps, noise, empty_noise, *, log_odds, **chain):
    """Draw each slot anew; yield k, b, the slots, and by how much the choice was clear."""
    Q, h, mu, p = (chain[name] for name in ("curvature", "force", "mean", "precision"))
    humps = list(humps)
    for slot in range(len(humps)):
        humps[slot] = None
        S, C, m = law_of_areas(humps, **chain)
        k = np.diag(Q) * (1 + ROUNDING_PRECISION) + p - np.diag(Q[:, S] @ C @ Q[S])
        b = h + p * mu - Q[:, S] @ m
        twice_log_odds = b**2 / k - np.log(k / p) - p * mu**2 + 2 * log_odds
        ranked = np.sort([empty_noise[slot], *(twice_log_odds + noise[slot])])
        best = int(np.argmax(twice_log_odds + noise[slot]))
        humps[slot] = best if ranked[-1] > empty_noise[slot] else None
        yield k, b, list(humps), ranked[-1] - ranked[-2]


def problem(seed, *, occupied):
    """Humps that overlap, more of them than data, in chains of strengths from weak to strong."""
    rng = np.random.default_rng(seed)
    centre, width = np.linspace(-1, 11, 40), np.tile([0.6, 0.9, 1.5, 3.0], 10)
    design = np.exp(-0.5 * ((centre[:, None] - np.linspace(0, 10, 30)) / width[:, None]) ** 2)
    data = rng.choice([0, 30.0], 40, p=[0.9, 0.1]) @ design + rng.standard_normal(30)
    mean = np.geomspace(0.02, 40, N_CHAINS)
    prior = SlotPrior(mean, 1 / (0.43 * mean**2), np.log(rng.dirichlet(np.ones(40)) * 4))
    force = design @ data + 0.1 * rng.standard_normal((N_CHAINS, 40))
    hump = rng.integers(40, size=(N_SLOTS, N_CHAINS))
    hump[3] = hump[1]  # two slots with the same hump
    filled = rng.random((N_CHAINS, N_SLOTS)) < occupied
    return rng, design @ design.T, force, prior, hump, filled


@pytest.mark.parametrize("occupied", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(8))
def test_exchanges_are_those_of_plain_matrices(seed, occupied):
    """One sweep: what rank-one changes lose to rounding adds up from slot to slot.

    Equal to 1e-9 of the scale (that of Q for k) up to a condition of 1e3 of the areas' matrix. From
    there rounding counts by its square, as a downdate is a difference of large numbers: humps that
    coincide lend a condition of 4e4. Odds are single, and some hundreds large: where two humps are
    within 1e-3, rounding may decide; there are none here.
    """
    rng, curvature, force, prior, hump, filled = problem(seed, occupied=occupied)
    slots = Slots(curvature, force, prior, hump=hump, occupied=filled.copy())
    chains = [
        {"curvature": curvature, "force": h, "mean": mean, "precision": precision}
        for h, mean, precision in zip(force, prior.mean, prior.precision, strict=True)
    ]
    noise = 2 * rng.gumbel(size=(N_SLOTS, N_CHAINS, 40)).astype(np.float32)
    empty = 2 * rng.gumbel(size=(N_SLOTS, N_CHAINS))
    start = np.where(filled.T, hump, None).T
    sweeps = [
        plain_sweep(start[c], noise[:, c], empty[:, c], log_odds=prior.log_odds, **chains[c])
        for c in range(N_CHAINS)
    ]
    laws = [law_of_areas(start[c], **chains[c]) for c in range(N_CHAINS)]
    condition = [np.linalg.cond(C) if C.size else 1.0 for _, C, _ in laws]
    for slot in range(N_SLOTS):
        slots.exchange(slot, noise[slot], empty[slot])
        means, covariances = slots.areas()
        for c, (k, b, held, margin) in enumerate(map(next, sweeps)):
            assert margin > 1e-3
            assert held == np.where(slots.occupied[c], slots.hump[:, c], None).tolist()
            _, covariance, mean = law_of_areas(held, **chains[c])
            condition[c] = max(condition[c], np.linalg.cond(covariance) if mean.size else 1.0)
            here = np.flatnonzero(slots.occupied[c])
            for found, expected, scale in (
                (slots.precision[c], k, curvature.max()),
                (slots.force[c], b, np.abs(force[c]).max()),
                (means[c, here], mean, np.abs(mean).max(initial=0)),
                (covariances[c][np.ix_(here, here)], covariance, covariance.max(initial=0)),
            ):
                error = np.abs(found - expected).max(initial=0)
                assert error <= max(1e-9, 1e-15 * condition[c] ** 2) * scale


def test_empty_slots_have_no_area():
    _, curvature, force, prior, hump, filled = problem(1, occupied=0.5)
    means, covariances = Slots(curvature, force, prior, hump=hump, occupied=filled).areas()
    assert not means[~filled].any()
    assert not covariances[~filled].any()
