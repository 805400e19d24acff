# %% [markdown]
# # My own analysis: what the report does not show
#
# The report answers one question for every disc. A researcher has others: another window, another
# metabolite, a table for statistics, a figure for a paper. Everything below takes a few calls; the
# page [For people who script](../.github/docs/scripting.md) has all of them with their results.
#
# The data are the simulated demo study. *Research use only: not a medical device.*

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mrs_disc as md
from mrs_disc.models import model_path

plt.rcParams.update(
    {"figure.dpi": 80, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
)
INK, RED, BLUE = "#1c1c1c", "#b3261e", "#1b4f8f"

study = md.read_study("../sample_data/demo")
report = md.analyze(study)
print(report)

# %% [markdown]
# `report` alone on the last line of a cell shows the first screen of the written report. Here it
# is printed, which suits a terminal; the picture of all levels is `report.plot()`.

# %%
report.plot()
plt.show()

# %% [markdown]
# ## A loop, and a table
#
# A report yields its levels. `to_dataframe()` has one row a level and the columns of `levels.tsv`:
# a quantity, its standard deviation, both ends of its interval.

# %%
for level in report:
    ratio = level.quantities["LAAL/PG"]
    print(f"{level.level}  {level.quality.verdict:10s}  (LAC + ALA)/PG up to {ratio.high:.2f}")
table = report.to_dataframe()
print()
print(table[["level", "LAAL/PG", "LAAL/PG_low", "LAAL/PG_high", "snr"]].round(2).to_string())

# %% [markdown]
# ## On my own axes
#
# A fit draws itself on any axes, by the code that draws the report; `md.plot_levels` draws all
# levels. Whatever else is wanted starts from `fit.spectrum()`, which holds numbers.

# %%
figure, (left, right) = plt.subplots(
    1, 2, figsize=(13, 4.6), width_ratios=[1.1, 1], layout="constrained"
)
report["L4-L5"].plot(left, ppm=(2.6, 0.6))
md.plot_levels(report, right, levels=["L2-L3", "L3-L4", "L4-L5"])
plt.show()

# %%
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for level, colour in (("L3-L4", BLUE), ("L4-L5", RED)):
    spectrum = report[level].fit.spectrum(apodize_hz=2)
    near = (spectrum.ppm > 0.8) & (spectrum.ppm < 1.8)
    height = spectrum["PG"].max()
    acids = (spectrum["LAC"] + spectrum["ALA"])[near] / height
    axes.plot(
        spectrum.ppm[near], (spectrum.data - spectrum.baseline)[near] / height, lw=0.6, c="0.6"
    )
    axes.fill_between(spectrum.ppm[near], 0, acids, color=colour, alpha=0.5, label=level)
axes.set(xlim=(1.8, 0.8), xlabel="chemical shift (ppm)", ylabel="signal / height of PG")
axes.set_title("lactate and alanine of two discs, baseline taken off", loc="left")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Another window, a metabolite less
#
# A recipe does not change; `replace` gives another one, checked as a file is. A component without
# a line in the window is not told, since its amount would be a guess; so is one that is excluded.

# %%
pre = md.preprocess(study["L4-L5"])
recipe = md.load_recipe()
choices = {
    "as shipped": recipe,
    "0.5 to 3.6 ppm": recipe.replace(fit={"window_ppm": (0.5, 3.6)}),
    "0.5 to 3.0 ppm": recipe.replace(fit={"window_ppm": (0.5, 3.0)}),
    "without propionate": recipe.replace(fit={"exclude": ["PA"]}),
    "no prior of ratios": recipe.replace(fit={"ratio_priors": False}),
    "no baseline": recipe.replace(fit={"baseline": "none"}),
}
fits = {name: md.fit(pre, choice) for name, choice in choices.items()}
figure, panels = plt.subplots(1, 3, figsize=(11, 2.8), sharey=True, layout="constrained")
for panel, component in zip(panels, ("PG", "LAC", "ALA"), strict=True):
    for place, fit in enumerate(fits.values()):
        k = fit.index(component)
        panel.plot([fit.low[k], fit.high[k]], [place, place], lw=4, alpha=0.4, color=BLUE)
        panel.plot(fit.amplitude[k], place, "o", color=BLUE)
    panel.set_title(component, loc="left")
    panel.set(xlabel="amplitude", xlim=(0, None))
panels[0].set_yticks(range(len(fits)), list(fits))
panels[0].invert_yaxis()
plt.show()
for name, fit in fits.items():
    print(f"{name:18s} residual / noise {fit.residual_ratio:.2f}", *fit.notes, sep="  ")

# %% [markdown]
# Five of the six agree within their intervals. Without a baseline the residual tells that the
# model is wrong, and the amounts are.
#
# ## Two recipes on one picture
#
# Each beside the data as it phased them.

# %%
figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
ends = recipe.fit.window_ppm
for row, (name, colour) in enumerate({"as shipped": RED, "no baseline": BLUE}.items()):
    spectrum = fits[name].spectrum()
    inside = (spectrum.ppm > ends[0]) & (spectrum.ppm < ends[1])
    up = -1.1 * row * spectrum.fit.max()
    axes.plot(spectrum.ppm[inside], up + spectrum.data[inside], color=INK, lw=0.5)
    axes.plot(spectrum.ppm[inside], up + spectrum.fit[inside], color=colour, label=name)
axes.set(xlim=ends[::-1], xlabel="chemical shift (ppm)", yticks=[])
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## A metabolite more
#
# A model is a TOML file. This one is the shipped model with the methyl group of creatine; muscle
# beside a disc would show it.

# %%
own = Path(tempfile.mkdtemp()) / "with_creatine.toml"
own.write_text(
    model_path("disc_1h").read_text()
    + """
[[component]]
name = "CR"
source = "CH3 of creatine: Govindaraju 2000, NMR Biomed 13:129-153"
status = "R"
[[component.resonance]]
ppm = 3.027
weight = 3
"""
)
fit = md.fit(pre, recipe.replace(fit={"model": str(own)}))
print(fit)

# %% [markdown]
# The simulated discs hold none, and the limit says so.
#
# ## How sure: by formula, and from the transients themselves
#
# `repetition` is the covariance over repeats of the same measurement. The formula knows the noise
# alone; a bootstrap draws the transients anew and repeats everything.

# %%
again = md.measure(study["L4-L5"], recipe.replace(fit={"bootstrap": 30})).fit
formula = np.sqrt(np.diagonal(fits["as shipped"].repetition))
drawn = np.sqrt(np.diagonal(again.repetition))
figure, axes = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
places = np.arange(len(again.names))
axes.bar(places - 0.2, formula, 0.38, color=BLUE, label="formula")
axes.bar(places + 0.2, drawn, 0.38, color=RED, label="bootstrap of 30")
axes.plot(places, again.sd, "_", color=INK, ms=22, label="sd, of the truth")
axes.set_xticks(places, again.names)
axes.set_title("error of repetition", loc="left")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Scored again
#
# At another prevalence, from the measurements that are there.

# %%
for prevalence in (0.1, 0.25, 0.5):
    scores = md.score(report, recipe.replace(score={"prevalence": prevalence}))
    shown = [f"{n} {s.value:.2f}" for n, s in scores.items() if s.value is not None]
    print(f"prevalence {prevalence:.0%}:", *shown, sep="  ")

# %% [markdown]
# ## Back again
#
# What was written is the object that it was: without the raw data, years later, on another machine.

# %%
out = Path(tempfile.mkdtemp()) / "report"
md.write_report(report, out, formats=["json"])
later = md.read_results(out)
print(later["L4-L5"].score.label, later["L4-L5"].quantities["LAAL/PG"].value)
later["L3-L4"].plot()
plt.show()
