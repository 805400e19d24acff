# %% [markdown]
# # Is it true? Amounts and intervals against known truth
#
# A fit always gives a number. Three questions decide whether to believe it: is it right on
# average, does it scatter more than it must, and does its 95 % interval hold the truth in 95 of
# 100 discs? Simulated discs can answer, because their truth is known. The simulator shares no
# code with the fit.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from mrs_disc.data import Fid
from mrs_disc.validate import validate_fit
from mrs_disc.validate.accuracy import load_tools, through
from mrs_disc.validate.regimes import JUDGED, REGIMES

plt.rcParams.update(
    {
        "figure.dpi": 80,
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 9,
    }
)
INK, RED, BLUE = "#1c1c1c", "#b3261e", "#1b4f8f"

# %% [markdown]
# ## One disc, measured 150 times
#
# Nature allows no unbiased method to scatter less than the Cramér-Rao bound. Here is one disc
# with 150 draws of noise: the histogram is what the fit makes of it, the curve is the bound,
# computed from the closed-form signal and not from the fit.

# %%
regime = REGIMES["matched"]
case = regime.make(2, 5)
matched_tools = load_tools(case.model)
first, _ = through(case, matched_tools)
rng = np.random.default_rng(1)
# the fitted curve is the truth of this experiment
clean = first.curves.fit * np.exp(1j * first.phase.zero_order_rad)


def measured_again(noise_sd):
    """Return the fit of the same disc with new noise."""
    noise = rng.standard_normal(clean.size) + 1j * rng.standard_normal(clean.size)
    fid = Fid(signal=clean + noise_sd * noise, sampling=case.acquisition.metabolite.sampling)
    again = replace(case, acquisition=replace(case.acquisition, metabolite=fid))
    return through(again, matched_tools)[0]


draws = [measured_again(first.noise.sd) for _ in range(150)]
figure, axes = plt.subplots(1, 3, figsize=(11, 2.6), layout="constrained")
for panel, name in zip(axes, ("PG", "LAC", "ALA"), strict=True):
    at = first.index(name)
    true = first.amplitude[at]
    found = np.array([draw.amplitude[at] for draw in draws])
    bound = case.bound[name]
    x = true + bound * np.linspace(-4, 4, 200)
    panel.hist(found, bins=18, density=True, color=BLUE, alpha=0.45)
    panel.plot(x, norm.pdf(x, true, bound), color=RED, label="bound")
    panel.axvline(true, color=INK, lw=1)
    panel.set(
        yticks=[], xlabel="amplitude", title=f"{name}: scatter {found.std() / bound:.2f} × bound"
    )
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# ## Many discs over an unknown baseline
#
# Proteins and other macromolecules put broad humps under the lines. Nobody knows where, so each
# of these 80 discs has its own. Every cross is one amount with its 95 % interval; the red ones
# miss the truth. Five in a hundred should.

# %%
regime = REGIMES["ensemble"]
discs = [regime.make(11, index) for index in range(80)]
tools = load_tools(discs[0].model)
fits = [through(disc, tools)[0] for disc in discs]
figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
for panel, name in zip(axes, ("LAC", "ALA", "PA", "CHO"), strict=True):
    at = fits[0].index(name)
    true = np.array([disc.truth[name] for disc in discs])
    found, low, high = (
        np.array([getattr(fit, key)[at] for fit in fits]) for key in ("amplitude", "low", "high")
    )
    held = (low <= true) & (true <= high)
    for mask, colour in ((held, BLUE), (~held, RED)):
        panel.vlines(true[mask], low[mask], high[mask], color=colour, lw=1, alpha=0.7)
        panel.plot(true[mask], found[mask], ".", color=colour, ms=4)
    if true.min() < true.max():
        panel.plot([true.min(), true.max()], [true.min(), true.max()], color=INK, lw=0.8)
    panel.set_xlabel("truth")
    panel.set_title(f"{name}: {held.mean():.0%} hold")
plt.show()

# %% [markdown]
# ## Does the stated uncertainty fit the error?
#
# If it does, error / stated standard deviation is a standard normal variable, whatever the disc.

# %%
z = {
    name: np.array(
        [
            (fit.amplitude[fit.index(name)] - disc.truth[name]) / fit.sd[fit.index(name)]
            for fit, disc in zip(fits, discs, strict=True)
        ]
    )
    for name in JUDGED
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
x = np.linspace(-4, 4, 200)
left.hist(
    np.concatenate(list(z.values())),
    bins=np.arange(-4, 4.1, 0.4),
    density=True,
    color=BLUE,
    alpha=0.45,
)
left.plot(x, norm.pdf(x), color=RED)
left.set(xlabel="error / stated sd", yticks=[], title="all five amounts of 80 discs")
levels = np.linspace(0.5, 0.99, 30)
for name, values in z.items():
    share = [(np.abs(values) < norm.ppf(0.5 + level / 2)).mean() for level in levels]
    right.plot(100 * levels, 100 * np.array(share), lw=1, label=name)
right.plot([50, 100], [50, 100], color=INK, lw=0.8)
right.set(xlabel="stated coverage (%)", ylabel="found (%)", title="intervals of any size")
right.legend(frameon=False)
plt.show()

# %% [markdown]
# ## All regimes, from kind to cruel
#
# `mrs-disc validate` prints this table at any size; here are 40 discs of each regime. A bar of 1
# is the bound: nothing unbiased can be better.

# %%
table = validate_fit(seed=5, discs=40)
names = list(table.milliseconds)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained", sharey=True)
for row, name in enumerate(names):
    lines = [line for line in table.lines if line.regime == name]
    for place, line in enumerate(lines):
        y = row + 0.15 * (place - (len(lines) - 1) / 2)
        left.barh(y, line.rmse, height=0.13, color=plt.cm.viridis(place / 5))
        left.text(line.rmse + 0.05, y, line.quantity.split("/")[0][:3], va="center", fontsize=6)
        right.plot(line.coverage_percent, y, "o", ms=4, color=plt.cm.viridis(place / 5))
left.axvline(1, color=RED, lw=1)
left.set_yticks(range(len(names)), names)
left.invert_yaxis()
left.set(xlabel="RMSE / Cramér-Rao bound", title="accuracy")
right.axvspan(95 - 6.9, 100, color="0.93")  # two standard errors of a share among 40 discs
right.axvline(95, color=RED, lw=1)
right.set(xlabel="95 % intervals that hold (%)", xlim=(70, 101), title="coverage; grey: chance")
plt.show()

# %% [markdown]
# ## Where it is wrong, and says so or does not
#
# Humps of half of PG's area that sit under the same lines in *every* disc (`fixed`) look like
# more metabolite. The bound takes the baseline as known; nobody could know it. The intervals grow
# with the doubt, but not always enough: compare the bias of alanine below. A site that sees such
# a baseline should measure it and put it into a model.

# %%
for line in table.lines:
    if line.regime in ("ensemble", "fixed"):
        print(f"{line.regime:9s} {line.quantity:4s} bias {line.bias:+5.2f}   RMSE {line.rmse:4.2f}")

# %% [markdown]
# ## How much signal does one need?
#
# The same disc at other signal-to-noise ratios: error, stated uncertainty, and bound.

# %%
figure, axes = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
ratios = (4, 8, 16, 32)
at, pg = first.index("LAC"), first.amplitude[first.index("PG")]
errors, stated = [], []
for snr in ratios:
    rows = [measured_again(pg / snr) for _ in range(40)]
    errors.append(
        np.sqrt(np.mean([(row.amplitude[at] - first.amplitude[at]) ** 2 for row in rows]))
    )
    stated.append(np.mean([row.sd[at] for row in rows]))
bound = case.bound["LAC"] / first.noise.sd * pg / np.array(ratios)
axes.loglog(ratios, bound, color=RED, label="bound")
axes.loglog(ratios, errors, "o", color=BLUE, label="error of LAC")
axes.loglog(ratios, stated, "_", ms=14, mew=2, color=INK, label="stated sd")
axes.minorticks_off()
axes.set_xticks(ratios, ratios)
axes.set_yticks([3, 5, 10, 20], [3, 5, 10, 20])
axes.set(xlabel="amplitude of PG / noise of a point", ylabel="amplitude")
axes.legend(frameon=False)
plt.show()
