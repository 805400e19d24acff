# %% [markdown]
# # Anatomy of a fit: one disc, every step drawn
#
# Between a scanner's samples and "lactate 0.4 ± 0.1" lie seven steps. Each can go wrong, so each
# is drawn here for one painful, simulated disc: eight coils, 64 transients, a drifting field, a
# patient who moved.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import mrs_disc as md
from mrs_disc.models import load_metabolite_model
from mrs_disc.models.sequences import load_sequences
from mrs_disc.signal.axes import ppm_axis, spectrum
from mrs_disc.signal.coils import coil_weights, combine
from mrs_disc.signal.eddy import correct_eddy_currents
from mrs_disc.signal.noise import noise_covariance
from mrs_disc.signal.phase import dominant_frequency_hz
from mrs_disc.signal.transients.align import align
from mrs_disc.signal.transients.series import Series
from mrs_disc.simulate import Scan
from mrs_disc.steps.basis import basis_of
from mrs_disc.steps.evolution import played

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

study, truth = md.simulate_study(
    seed=53,
    levels=["L4-L5"],
    kinds={"L4-L5": "P"},
    snr=24,
    lipid=0.3,
    scan=Scan(n_coils=8, n_transients=64),
)
disc, truth = study["L4-L5"], truth["L4-L5"]
raw, sampling = disc.metabolite.signal, disc.metabolite.sampling
print(disc.metabolite.axes, raw.shape)


def shown(fid, sampling=sampling):
    """Return ppm axis and complex spectrum of FIDs, zero-filled twofold for the eye."""
    fid = np.concatenate([fid, np.zeros_like(fid)], axis=-1)
    axis = ppm_axis(
        fid.shape[-1], sampling.dwell_time_s, sampling.spectrometer_mhz, sampling.reference_ppm
    )
    inside = (axis > 0.4) & (axis < 5.4)
    return axis[inside], spectrum(fid)[..., inside]


# %% [markdown]
# ## 1. Coils
#
# Each coil sees the disc with its own gain and phase, and shares noise with its neighbours. The
# water reference tells gain and phase, the empty end of the FIDs tells the noise; together they
# give the weights of the highest possible signal-to-noise ratio (Rodgers and Robson 2010).

# %%
covariance = noise_covariance(raw)
weights = coil_weights(disc.water.signal, covariance)
combined = combine(raw, weights.weights)
scale = np.sqrt(np.diagonal(covariance).real)
figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(11, 2.9), width_ratios=[1.5, 1.1, 1.5], layout="constrained"
)
for coil, fid in enumerate(raw.mean(axis=1)):
    ppm, curve = shown(fid)
    left.plot(ppm, np.abs(curve) / np.abs(curve).max() - coil, color=INK, lw=0.6)
left.set(xlim=(5.4, 0.4), yticks=[], xlabel="ppm", title="average of each coil, magnitude")
picture = middle.imshow(np.abs(covariance / np.outer(scale, scale)), cmap="Blues", vmin=0, vmax=1)
middle.set(xlabel="coil", ylabel="coil", title="correlation of their noise")
figure.colorbar(picture, ax=middle)
right.bar(range(len(scale)), np.abs(weights.weights) * scale, color=BLUE)
right.set(
    xlabel="coil",
    ylabel="weight × noise",
    title=f"weights: SNR × {weights.snr_gain:.2f} over the best coil",
)
plt.show()

# %% [markdown]
# ## 2. Transients
#
# A transient every 1.5 s for minutes: the field drifts, the patient breathes and moves. Averaged
# as they are, lines smear. Each transient is brought to the frequency and phase of the others
# (spectral registration, Near 2015), and those that do not belong are left out, each with its
# reason.

# %%
recipe = md.load_recipe("default")
pre = md.preprocess(disc, recipe)
window, water = (
    tuple(sampling.hz(ppm) for ppm in part)
    for part in (recipe.align.window_ppm, recipe.water.window_ppm)
)
series = Series.of(combined, sampling.dwell_time_s)
aligned = align(series, window_hz=window, water_hz=water)
broaden = np.exp(-np.pi * 6 * sampling.time_s(raw.shape[-1]))
figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
sound = [n for n in range(raw.shape[1]) if n not in pre.rejected]
for panel, signal, title in (
    (axes[0], combined, "as measured"),
    (axes[1], aligned.series.signal, "aligned"),
):
    for part, colour, name in ((sound[:16], BLUE, "first 16"), (sound[-16:], RED, "last 16")):
        ppm, curve = shown(signal[part].mean(axis=0) * broaden)
        panel.plot(ppm, np.abs(curve), color=colour, lw=1, label=name)
    panel.set(xlim=(2.6, 0.8), yticks=[], xlabel="ppm", title=f"{title}, magnitude")
axes[0].legend(frameon=False)
count = np.arange(1, len(raw[0]) + 1)
kept = np.array([n - 1 not in pre.rejected for n in count])
axes[2].plot(pre.transient_frequency_hz[kept], count[kept], "o", ms=3, color=BLUE, label="kept")
axes[2].plot(pre.transient_frequency_hz[~kept], count[~kept], "x", color=RED, label="left out")
axes[2].set(xlabel="frequency (Hz)", ylabel="transient", title=f"drift {pre.drift_hz:.1f} Hz")
axes[2].legend(frameon=False)
plt.show()
for index, reason in sorted(pre.rejected.items()):
    print(f"transient {index + 1}: {reason}")

# %% [markdown]
# ## 3. Eddy currents, 4. residual water
#
# Switched gradients leave a field that decays over milliseconds. Water has a single line, so
# whatever its phase does besides turning steadily was done by the field, and was done to the
# metabolites too (Klose 1990). What suppression left of water is then one narrow line, modelled
# and subtracted; sugars next to it stay.

# %%
reference = combine(disc.water.signal, weights.weights).mean(axis=0)
eddy = correct_eddy_currents(reference, reference, sampling.dwell_time_s)
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained")
time_ms = 1e3 * sampling.time_s(reference.size)
water_hz = dominant_frequency_hz(eddy.signal, sampling.dwell_time_s)
left.plot(time_ms, np.degrees(eddy.phase_rad), color=BLUE)
left.set(xlim=(0, 200), xlabel="time (ms)", ylabel="degrees", title="phase by eddy currents")
for fid, colour, name in ((reference, "0.6", "before"), (eddy.signal, BLUE, "after")):
    fid = fid * np.exp(-1j * np.angle(fid[0]) - 2j * np.pi * water_hz * time_ms / 1e3)
    ppm, curve = shown(fid)
    middle.plot(ppm, curve.real / np.abs(curve).max(), color=colour, label=name)
middle.set(xlim=(5.0, 4.3), yticks=[], xlabel="ppm", title="the water line, real part")
middle.legend(frameon=False)
for fid, colour, name in (
    (pre.unsuppressed_residue, "0.6", "before"),
    (pre.fid, BLUE, "after"),
):
    ppm, curve = shown(fid.signal, fid.sampling)
    near = (ppm > 2.8) & (ppm < 5.4)
    right.plot(ppm[near], np.abs(curve[near]), color=colour, label=name)
right.set(
    xlim=(5.4, 2.8), ylim=(0, None), yticks=[], xlabel="ppm", title="residual water, magnitude"
)
right.legend(frameon=False)
plt.show()

# %% [markdown]
# ## 5. The shape of lactate
#
# Lactate's methyl is a doublet, 6.93 Hz apart, that turns during the echo time: upright at 288
# ms, inverted at 144 ms, half on its side at the 28 ms of this protocol. A fit of plain doublets
# would read the wrong amount from the right curve; the model therefore follows the echo time.

# %%
model = load_metabolite_model(recipe.fit.model)
table = load_sequences(recipe.fit.sequences)
figure, axes = plt.subplots(1, 4, figsize=(11, 2), sharey=True, layout="constrained")
for panel, echo_ms in zip(axes, (28, 72, 144, 288), strict=True):
    protocol = replace(disc.protocol, echo_time_s=1e-3 * echo_ms)
    evolution = played(model, protocol, table).evolution
    basis = basis_of(model, evolution, sampling, raw.shape[-1])
    unit = basis.fids[basis.names.index("LAC")]
    ppm, curve = shown(unit * np.exp(-np.pi * 4 * sampling.time_s(unit.size)))
    panel.axhline(0, color="0.85", lw=0.8)
    panel.plot(ppm, curve.real, color=RED)
    panel.set(xlim=(1.55, 1.08), yticks=[], xlabel="ppm", title=f"TE {echo_ms} ms")
plt.show()

# %% [markdown]
# ## 6. The fit
#
# All components at once over an unknown baseline. The baseline is not chosen but averaged: every
# number and place of broad humps counts by its evidence. What is left over should be noise, and
# nothing but noise.

# %%
fit = md.fit(pre, recipe)
turn_of = np.exp(-2j * np.pi * fit.phase.delay_s * fit.curves.sampling.spectrometer_mhz)


def upright(fid):
    """Return ppm axis and real spectrum, with the delay of the first point taken off."""
    ppm, curve = shown(fid, fit.curves.sampling)
    return ppm, (curve * turn_of ** (ppm - fit.curves.sampling.reference_ppm)).real


figure, axes = plt.subplots(figsize=(9.5, 6.2), layout="constrained")
ppm, data = upright(fit.curves.data)
low, high = fit.curves.window_ppm
inside = (ppm > low) & (ppm < high)
top = data[inside].max()
axes.plot(ppm, np.where(data < 1.1 * top, data, np.nan), color="0.45", lw=0.7, label="data")
axes.plot(ppm[inside], upright(fit.curves.fit)[1][inside], color=RED, lw=1.5, label="fit")
axes.plot(
    ppm[inside], upright(fit.curves.baseline)[1][inside], "--", color=INK, lw=1, label="baseline"
)
residual = (data - upright(fit.curves.fit)[1])[inside]
noise = 2 * fit.noise.spectrum_sd
axes.axhspan(1.25 * top - noise, 1.25 * top + noise, color="0.92", lw=0)
axes.plot(ppm[inside], 1.25 * top + residual, color=INK, lw=0.6)
axes.text(0.45, 1.25 * top, "residual", va="center")
for row, (name, component) in enumerate(zip(fit.names, fit.curves.components, strict=True)):
    base = -(row + 1) * 0.16 * top
    axes.plot(ppm[inside], base + 0.45 * upright(component)[1][inside], lw=1.1)
    axes.text(0.45, base, name, va="center", color=axes.lines[-1].get_color())
axes.set(xlim=(4.5, 0.2), yticks=[], xlabel="chemical shift (ppm)")
axes.legend(loc="upper left", frameon=False, ncols=3, bbox_to_anchor=(0, 0.78))
plt.show()
print(f"residual / noise = {fit.noise.residual_ratio:.2f}")
print(f"chance of such a residual from white noise = {fit.noise.residual_whiteness_p:.2f}")

# %% [markdown]
# ## 7. How sure
#
# The covariance holds noise, shifts, widths and the unknown baseline alike. What all lines share,
# width and baseline, moves their amounts together: a ratio is known better than either of its
# amounts.

# %%
names = list(fit.names)
correlation = fit.covariance / np.outer(fit.sd, fit.sd)
true = np.array([truth["amplitudes"][name] for name in names])
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
picture = left.imshow(correlation, cmap="RdBu_r", vmin=-1, vmax=1)
left.set_xticks(range(len(names)), names, fontsize=8)
left.set_yticks(range(len(names)), names, fontsize=8)
left.set_title("correlation of the amounts")
figure.colorbar(picture, ax=left)
places = np.arange(len(names))
middle = (fit.low + fit.high) / 2
right.errorbar(
    places, middle, (fit.high - fit.low) / 2, fmt="none", color=BLUE, lw=5, alpha=0.4, label="95 %"
)
right.plot(places, fit.amplitude, "o", color=BLUE, label="found")
right.plot(places, true, "_", color=INK, ms=16, mew=2, label="truth")
right.set_xticks(places, names)
right.set(ylabel="amplitude", title="amounts beside the truth")
right.legend(frameon=False, ncols=3)
plt.show()
lac, pg = fit.index("LAC"), fit.index("PG")
own = fit.sd / fit.amplitude
ratio = np.sqrt(own[lac] ** 2 + own[pg] ** 2 - 2 * correlation[lac, pg] * own[lac] * own[pg])
alone = np.hypot(own[lac], own[pg])
print(f"relative sd: LAC {own[lac]:.0%}, PG {own[pg]:.0%}, so LAC/PG would have {alone:.0%}")
print(f"with their correlation of {correlation[lac, pg]:.2f} it has {ratio:.0%}")

# %% [markdown]
# ## From amounts to a judgement
#
# Ratios and the log of acidity over structure carry their own intervals, from draws of the whole
# covariance; from them comes the probability of pain. Its parameters stem from a simulator: it is
# a hypothesis to test, not a diagnosis. [Notebook 4](4_calibrate_a_score.ipynb) fits it to your
# own outcomes.

# %%
report = md.analyze(study)["L4-L5"]
for name in ("LAC/PG", "LAAL/PG", "log(acidity/structure)", "PG/water"):
    q = report.measurement.quantities[name]
    print(f"{name:24s} {q.value:8.3g}   {q.low:8.3g} to {q.high:8.3g}   {q.unit}")
score = report.score
print(f"\n{score.label}: {score.value:.2f} ({score.low:.2f} to {score.high:.2f})")
print(f"truth: {truth['log_acidity_structure']:.3g}, painful: {truth['painful']}")
