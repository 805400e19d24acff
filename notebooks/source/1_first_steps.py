# %% [markdown]
# # First steps: from a scanner's files to a report
#
# A patient with low back pain has five lumbar discs that all look a little worn on the images.
# Which of them hurts? Single-voxel MR spectroscopy asks the discs' chemistry: acids (lactate,
# alanine, propionate) gather in a disc that is short of oxygen, and proteoglycan is what a disc
# loses as it degenerates.
#
# This notebook takes one examination from files to a report. The data are simulated, so that we
# can look up the truth at the end. *Research use only: not a medical device.*

# %%
import json
import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import mrs_disc as md

plt.rcParams.update(
    {"figure.dpi": 80, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
)
DEMO = Path("../sample_data/demo")


def small(path):
    """Return a picture of the report at half its size, so that the notebook stays small."""
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((900, 900))
    return picture.quantize(256)


print(*sorted(path.name for path in DEMO.iterdir()), sep="\n")

# %% [markdown]
# For each disc the scanner wrote the metabolites and a water reference; `study.toml` says which
# file is which disc, and what a radiologist saw on the images (`mrs-disc init FOLDER` drafts it
# for your own files). Reading a study reads no signal yet; asking for a disc does.

# %%
study = md.read_study(DEMO)
disc = study["L4-L5"]
print(study.levels)
print(disc.metabolite.axes, disc.metabolite.signal.shape, disc.metabolite.signal.dtype)
protocol = disc.protocol
print(f"{protocol.sequence}, TE {protocol.echo_time_s} s, TR {protocol.repetition_time_s} s")

# %% [markdown]
# ## What the scanner gives, and what one needs
#
# One transient of one coil is noise. Coils are combined, transients aligned and averaged, the
# spoilt ones left out, eddy currents and residual water taken away. All of that is `preprocess`;
# the second notebook draws every step.

# %%
report = md.analyze(study)
clean = report["L4-L5"].measurement.preprocessed.fid


def spectrum(fid, sampling):
    """Return ppm axis and real spectrum of a FID."""
    size = 4 * fid.size
    hz = np.fft.fftshift(np.fft.fftfreq(size, sampling.dwell_time_s))
    ppm = sampling.reference_ppm + hz / sampling.spectrometer_mhz
    return ppm, np.fft.fftshift(np.fft.fft(fid, size)).real


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8), sharex=True, layout="constrained")
left.plot(*spectrum(disc.metabolite.signal[0, 0], disc.metabolite.sampling), color="0.4", lw=0.7)
left.set_title("one coil, one transient", loc="left")
right.plot(*spectrum(clean.signal, clean.sampling), color="#1b4f8f", lw=1)
right.set_title("after preprocessing", loc="left")
for axes in (left, right):
    axes.set(xlim=(4.4, 0.4), xlabel="chemical shift (ppm)", yticks=[])
ppm, real = spectrum(clean.signal, clean.sampling)
right.set_ylim(
    -0.15 * real[(ppm > 1.8) & (ppm < 2.2)].max(), 1.25 * real[(ppm > 1.8) & (ppm < 2.2)].max()
)
for name, where in {
    "carbohydrate": 3.9,
    "choline": 3.21,
    "proteoglycan": 2.01,
    "lactate": 1.31,
}.items():
    right.annotate(
        name, (where, 0.98), xycoords=("data", "axes fraction"), ha="center", va="top", fontsize=8
    )

# %% [markdown]
# ## The answer
#
# `analyze` has done everything: preprocess, fit, quality, amounts, score, and the words of the
# impression.

# %%
print(textwrap.fill(report.impression, 110))

# %% [markdown]
# The pictures of the report, as `write_report` puts them beside `results.json`:

# %%
out = Path(tempfile.mkdtemp()) / "report"
md.write_report(report, out, formats=("json", "html", "png"))
print(*sorted(str(path.relative_to(out)) for path in out.rglob("*.*")), sep="\n")
small(out / "figures" / "overview.png")

# %% [markdown]
# Read a row across: where the voxel lay, how likely the disc is a source of pain and how sure
# that is, how acid it is, what structure it has left, and whether the spectrum was good enough to
# say so. L1-L2 was not: it gets no label, and the report says why.

# %%
for level in report:
    quality = level.measurement.quality
    print(
        f"{level.level}  {quality.verdict:10s} {level.score.label:17s}",
        *quality.reasons[:1] or level.score.reasons[:1],
    )

# %% [markdown]
# ## One painful disc, one healthy disc
#
# Lactate's doublet at 1.31 ppm has grown beside a proteoglycan that has shrunk.

# %%
small(out / "figures" / "L4-L5.png")

# %%
small(out / "figures" / "L3-L4.png")

# %% [markdown]
# ## Numbers with intervals
#
# Every amount comes with a 95 % interval that holds (the third notebook puts that to the test),
# and where an amount cannot be told from zero there is an upper limit instead of a number.

# %%
for level in report:
    ratio = level.measurement.quantities["LAAL/PG"]
    if ratio.limit == "upper":
        print(f"{level.level}  (LAC + ALA) / PG below {ratio.high:.2f}")
    else:
        between = f"{ratio.low:.2f} to {ratio.high:.2f}"
        print(f"{level.level}  (LAC + ALA) / PG = {ratio.value:.2f}, {between}")

# %% [markdown]
# ## And the truth?
#
# The demo's `truth.json` knows the acidity and structure that went into each disc.

# %%
truth = json.loads((DEMO / "truth.json").read_text())["demo-01"]
figure, axes = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
for place, level in enumerate(report):
    found = level.measurement.quantities["log(acidity/structure)"]
    true = truth[level.level]
    colour = "#9a1b1b" if true["painful"] else "#1b4f8f"
    if found.high is None:  # structure too small to divide by: nothing can be said
        axes.text(true["log_acidity_structure"] + 0.15, place, "not measurable", va="center")
    elif found.limit == "upper":
        arrow = {"arrowstyle": "->", "color": colour, "lw": 2}
        axes.annotate("", (found.high - 0.7, place), (found.high, place), arrowprops=arrow)
    else:
        axes.plot([found.low, found.high], [place, place], color=colour, lw=3, alpha=0.45)
        axes.plot(found.value, place, "o", color=colour)
    axes.plot(true["log_acidity_structure"], place, "|", color="black", ms=16, mew=2)
axes.set_yticks(range(5), [level.level for level in report])
axes.invert_yaxis()
axes.set_xlabel("log (acidity / structure)")
_ = axes.set_title(
    "bar: 95 % interval, arrow: upper limit · black tick: truth · red: simulated as painful",
    loc="left",
    fontsize=9,
)

# %% [markdown]
# ## Next
#
# * Your own files: `mrs-disc init FOLDER`, check the guesses in `study.toml`, then
#   `mrs-disc analyze FOLDER -o OUT`.
# * The same report as PDF or for a PACS: `mrs-disc report OUT/results.json -o views --format pdf`.
# * Read and sign it in the browser: `mrs-disc review OUT`.
# * [2: anatomy of a fit](2_anatomy_of_a_fit.ipynb) · [3: is it true?](3_is_it_true.ipynb) ·
#   [4: calibrate a score](4_calibrate_a_score.ipynb) ·
#   [5: a batch from the inside](5_a_batch_from_inside.ipynb)
