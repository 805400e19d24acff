# %% [markdown]
# # A batch from the inside
#
# A researcher has a folder of examinations and three questions: what failed and why, can the rest
# be trusted, and what does the group show? Here the folder is a simulated BIDS-MRS dataset of 30
# patients, with one damaged file in it, as there always is.

# %%
import contextlib
import io
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mrs_disc.cli import run
from mrs_disc.simulate import Scan, simulate_study
from mrs_disc.simulate.dataset import Simulated, write_dataset

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
LEVELS = {"L3-L4": 30, "L4-L5": 24, "L5-S1": 16}  # SNR: the lowest disc lies deepest
SPOILT = {12: {"L4-L5": "motion"}, 20: {"L5-S1": "gas"}}
SCAN = Scan(n_points=1024, spectral_width_hz=2000.0, n_transients=24, n_water=2)


def patient(subject):
    """Return a simulated patient with results of provocation discography."""
    study, truth = simulate_study(
        77,
        subject=subject,
        levels=tuple(LEVELS),
        snr=LEVELS,
        spoilt=SPOILT.get(subject),
        scan=SCAN,
        provocation=True,
        anatomy=False,
    )
    return Simulated(study=study, truth=truth)


work = Path(tempfile.mkdtemp())
write_dataset(work / "dataset", map(patient, range(1, 31)))
damaged = work / "dataset" / "sub-07" / "mrs" / "sub-07_voi-L4L5_svs.nii.gz"
damaged.write_bytes(damaged.read_bytes()[:5000])  # the transfer broke off
print(len(list((work / "dataset").glob("sub-*"))), "studies")


def mrs_disc(*words):
    """Run a command as in a terminal and print what it says."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        status = run([str(word) for word in words])
    print(said.getvalue().replace(str(work), "…").rstrip(), f"\n[exit status {status}]")


# %% [markdown]
# ## One command
#
# `mrs-disc batch dataset -o out --jobs 2` on a terminal shows a progress bar. `--format json`
# asks for the record alone; without it every study also gets its `report.html`.

# %%
mrs_disc("batch", work / "dataset", "-o", work / "out", "--jobs", 2, "--format", "json")

# %% [markdown]
# Exit status 3: finished, and something failed. What, where and why stands in one table, so that
# nobody has to search logs.

# %%
pd.set_option("display.max_colwidth", 100)
pd.read_csv(work / "out" / "failures.tsv", sep="\t").replace(str(work), "…", regex=True)

# %% [markdown]
# ## Mend the file, and go on
#
# `--resume` keeps every result that still holds (same input, same recipe, same software) and
# redoes the others.

# %%
write_dataset(work / "again", [patient(7)])
damaged.write_bytes((work / "again" / "sub-07" / "mrs" / damaged.name).read_bytes())
mrs_disc("batch", work / "dataset", "-o", work / "out", "--resume", "--format", "json")

# %% [markdown]
# ## One table for all discs

# %%
LOG = "log(acidity/structure)"
discs = pd.read_csv(work / "out" / "levels.tsv", sep="\t")
morphology = pd.read_csv(work / "dataset" / "morphology.tsv", sep="\t")
discs = discs.merge(morphology[["participant_id", "level", "pfirrmann"]], how="left")
print(f"{len(discs)} discs, {discs.shape[1]} columns; the first:")
discs[
    ["participant_id", "level", "verdict", "label", "score", "LAC/PG", "LAC/PG_low", "LAC/PG_high"]
].head(6)

# %% [markdown]
# ## Can it be trusted? Quality first
#
# Whoever leaves out bad spectra after having seen the outcome fools himself. The verdict and its
# gates are fixed before; a poor spectrum never gets a label.

# %%
tone = {"good": BLUE, "acceptable": "#d08a1d", "poor": RED}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
for verdict, colour in tone.items():
    some = discs[discs.verdict == verdict]
    left.plot(
        some.snr, some.linewidth_hz, "o", ms=4, color=colour, label=f"{verdict} ({len(some)})"
    )
left.axvline(5, color=GREY, lw=0.8, ls="--")
left.set(
    xlabel="SNR of proteoglycan", ylabel="linewidth (Hz)", title="the two gates that matter most"
)
left.legend(frameon=False)
share = (
    pd.crosstab(discs.level, discs.verdict, normalize="index").reindex(columns=list(tone)).fillna(0)
)
bottom = np.zeros(len(share))
for verdict, colour in tone.items():
    right.bar(share.index, 100 * share[verdict], bottom=100 * bottom, color=colour)
    bottom += share[verdict].to_numpy()
right.set(ylabel="discs (%)", title="by level")
plt.show()

# %% [markdown]
# ## The group
#
# Acidity over structure by Pfirrmann grade and by the result of provocation. Upper limits
# (triangles) are data: a disc whose acid is below what can be seen is not missing.

# %%
usable = discs[discs.verdict != "poor"].copy()
figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
rng = np.random.default_rng(0)
for outcome, colour, side in (("negative", BLUE, -0.17), ("positive", RED, 0.17)):
    some = usable[usable.provocation == outcome]
    x = some.pfirrmann + side + rng.uniform(-0.07, 0.07, len(some))
    limit = some[f"{LOG}_low"].isna()
    found = some[~limit]
    axes.errorbar(
        x[~limit],
        found[LOG],
        [found[LOG] - found[f"{LOG}_low"], found[f"{LOG}_high"] - found[LOG]],
        fmt="o",
        ms=4,
        lw=0.8,
        color=colour,
        alpha=0.7,
        label=f"provocation {outcome}",
    )
    axes.plot(x[limit], some[f"{LOG}_high"][limit], marker=7, ls="", color=colour, alpha=0.5)
axes.set(xlabel="Pfirrmann grade", ylabel=LOG, xticks=range(1, 6), xlim=(0.5, 5.5), ylim=(-4, 1.5))
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Within a patient
#
# A patient's discs share much (age, diet, how long they lay in the scanner). Differences within a
# patient are sharper than between patients: one line per patient that has both a positive and a
# negative disc.

# %%
usable["value"] = usable[LOG].fillna(usable[f"{LOG}_high"])
means = usable.pivot_table(index="participant_id", columns="provocation", values="value")
pairs = means.dropna(subset=["negative", "positive"])
figure, (left, right) = plt.subplots(
    1, 2, figsize=(8.5, 3.2), layout="constrained", width_ratios=[1, 1.4]
)
for _, pair in pairs.iterrows():
    left.plot([0, 1], [pair.negative, pair.positive], "o-", ms=4, lw=0.8, color=GREY)
left.plot([0, 1], [pairs.negative.mean(), pairs.positive.mean()], "o-", lw=2.5, color=INK)
left.set(xticks=[0, 1], xlim=(-0.2, 1.2), ylabel=LOG)
left.set_xticklabels(["negative", "positive"])
left.set_title(f"{len(pairs)} patients with both")
for outcome, colour in (("negative", BLUE), ("positive", RED)):
    scores = usable[usable.provocation == outcome].score.dropna()
    right.hist(
        scores,
        bins=np.arange(0, 1.01, 0.1),
        color=colour,
        alpha=0.55,
        label=f"{outcome} ({len(scores)})",
    )
right.axvline(0.2, color=GREY, lw=0.8, ls="--")
right.axvline(0.8, color=GREY, lw=0.8, ls="--")
right.set(xlabel="score", ylabel="discs", title="between the dashed lines: indeterminate")
right.legend(frameon=False, title="provocation")
plt.show()
print(pd.crosstab(usable.provocation, usable.label).to_string())

# %% [markdown]
# The outcomes overlap as much as the simulator believes that those of discs in vivo do, and the
# score says *indeterminate* rather than guess. Both come from one generative model, so even this
# separation is no evidence for patients.
#
# ## What to keep
#
# `out/` is a BIDS derivative: `results.json` and `signals.npz` of every study, `levels.tsv` with
# its dictionary `levels.json`, `failures.tsv`, `index.html`. Every format of the report can be made
# from it later without the raw data, and `mrs-disc review out` opens all of it in the browser.
