# %% [markdown]
# # Calibrate a score on your own discography data
#
# The score that ships with the package comes from a simulator and says so. A site that has
# provocation discography can fit its own: one table of discs with outcomes in, a model with its
# honest figures out. Here the table is simulated too (40 patients, `sample_data/cohort`); the
# steps are those for your data.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mrs_disc as md
from mrs_disc.calibrate import calibrate
from mrs_disc.calibrate.table import read_cohort
from mrs_disc.calibrate.write import model_toml

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
INK, RED, BLUE, GREY = "#1c1c1c", "#b3261e", "#1b4f8f", "#8a8a8a"

TABLE = Path("../sample_data/cohort/levels.tsv")
LOG = "log(acidity/structure)"
discs = pd.read_csv(TABLE, sep="\t")
print(f"{discs.participant_id.nunique()} patients, {len(discs)} discs")
print(discs.provocation.value_counts(dropna=False).to_string())
discs[["participant_id", "level", "verdict", LOG, f"{LOG}_sd", "provocation"]].head(6)

# %% [markdown]
# `mrs-disc batch` writes this table (`levels.tsv`) for a dataset; the column `provocation` comes
# from the studies. Look at the data before fitting anything: each line joins the discs of one
# patient.

# %%
shown = discs[discs.verdict != "poor"].copy()
colours = {"positive": RED, "negative": BLUE}
order = shown.groupby("participant_id")[LOG].median().sort_values().index
figure, axes = plt.subplots(figsize=(11, 3.4), layout="constrained")
for place, patient in enumerate(order):
    own = shown[shown.participant_id == patient]
    axes.vlines(place, own[LOG].min(), own[LOG].max(), color="0.85", lw=1)
    for outcome, colour in colours.items():
        some = own[own.provocation == outcome]
        axes.plot([place] * len(some), some[LOG], "o", ms=4, color=colour)
        limits = some[some[LOG].isna()][f"{LOG}_high"]
        axes.plot([place] * len(limits), limits, marker=7, ls="", ms=5, color=colour, alpha=0.5)
axes.set(xticks=[], xlabel="patients, by their median", ylabel="log (acidity / structure)")
axes.set_title("red: positive provocation · blue: negative · triangle: upper limit, acid not seen")
plt.show()

# %% [markdown]
# Painful discs are more acid, but a patient's discs also go up and down together. A cut-off on
# the value alone would call all discs of some patients; the population model takes a patient's
# common offset into account.
#
# ## Fit, and let patients judge that the fit has not seen
#
# Five-fold cross-validation leaves out whole patients: discs of one person are not independent.

# %%
population = calibrate(TABLE, name="local_population")
logistic = calibrate(TABLE, name="local_logistic", kind="logistic")
for found in (population, logistic):
    figures = found.assessment
    interval = f"{figures.auc_low:.2f} to {figures.auc_high:.2f}"
    brier = f"{figures.brier:.3f} (of the prevalence alone: {figures.brier_of_prevalence:.3f})"
    print(f"{found.model.name:17s} AUC {figures.auc:.2f} ({interval})   Brier {brier}")
    for warning in found.warnings:
        print(f"{'':17s} warning: {warning}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for found, colour in ((population, RED), (logistic, BLUE)):
    figures = found.assessment
    left.plot(
        *np.transpose(figures.curve),
        color=colour,
        label=f"{found.model.kind}, AUC {figures.auc:.2f}",
    )
    mean = np.array([b.mean_probability for b in figures.bins])
    observed = np.array([b.share_painful for b in figures.bins])
    low, high = (np.array([getattr(b, k) for b in figures.bins]) for k in ("low_95", "high_95"))
    right.vlines(mean, low, high, color=colour, lw=1.5, alpha=0.4)
    right.plot(mean, observed, "o-", ms=4, lw=0.8, color=colour)
for axes in (left, right):
    axes.plot([0, 1], [0, 1], color="0.8", lw=0.8, zorder=0)
left.set(xlabel="1 − specificity", ylabel="sensitivity", title="discrimination", aspect="equal")
left.legend(frameon=False, loc="lower right")
right.set(
    xlabel="predicted probability", ylabel="share positive", title="calibration", aspect="equal"
)
right.axvspan(0, 0.2, color="#e3ecf7", lw=0, zorder=0)
right.axvspan(0.8, 1, color="#f7e4e2", lw=0, zorder=0)
plt.show()

# %% [markdown]
# The left picture asks whether painful discs rank above painless ones; the right one whether "70
# %" means seven in ten. Only in the shaded parts does a report say *unlikely* or *likely
# painful*; between them it says
# *indeterminate*.
#
# ## How many patients does it take?
#
# The same fit on random parts of the cohort. Each bar is the 95 % interval of the cross-validated
# AUC. The
# smaller the cohort, the wider the bar, and the easier it is to be lucky.

# %%
cohort = read_cohort(TABLE)
patients = np.array(cohort.patients)
rng = np.random.default_rng(3)
figure, axes = plt.subplots(figsize=(6.4, 3), layout="constrained")
for count in (10, 15, 20, 30, 40):
    for draw in range(3 if count < 40 else 1):
        chosen = rng.choice(np.unique(patients), count, replace=False)
        part = cohort.take(np.flatnonzero(np.isin(patients, chosen)))
        if min(part.painful.sum(), (~part.painful).sum()) < 8:
            continue
        figures = calibrate(part, name="part", kind="logistic").assessment
        x = count + 0.8 * (draw - 1)
        axes.plot([x, x], [figures.auc_low, figures.auc_high], color=BLUE, lw=3, alpha=0.4)
        axes.plot(x, figures.auc, "o", ms=4, color=BLUE)
axes.axhline(0.5, color=RED, lw=0.8)
axes.set(xlabel="patients", ylabel="AUC", ylim=(0.2, 1.02), title="red: coin toss")
plt.show()

# %% [markdown]
# ## Use it
#
# The model is a TOML file of the same form as the shipped ones; a recipe names it. Its card says
# on how many discs it was fitted and that nobody has validated it; reports print that.

# %%
folder = Path(tempfile.mkdtemp())
(folder / "local_population.toml").write_text(model_toml(population))
recipe = 'schema_version = 1\nname = "local"\n[score]\nmodel = "local_population.toml"\n'
(folder / "local.toml").write_text(recipe)
study = md.read_study("../sample_data/demo")
shipped, own = md.analyze(study), md.analyze(study, recipe=folder / "local.toml")
for before, after in zip(shipped, own, strict=True):
    values = [
        f"{s.value:.2f} {s.label}" if s.value is not None else s.label
        for s in (before.score, after.score)
    ]
    print(f"{before.level}   shipped: {values[0]:25s} local: {values[1]}")

# %% [markdown]
# ## What this does not show
#
# * Cross-validation inside one cohort is not validation. Another scanner, another way of choosing
#   patients or another reader is another population. Keep a cohort that no one has looked at.
# * Here both the data and the shipped model come from one simulator: agreement is no surprise.
# * Provocation discography is itself uncertain; a perfect score could not agree with it perfectly.
#
# On the command line: `mrs-disc model calibrate levels.tsv -o local.toml` writes model and card.
