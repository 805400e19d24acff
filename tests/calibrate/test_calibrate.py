"""Calibration on cohorts whose generating parameters are known."""

from __future__ import annotations

import os
import tomllib
from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from mrs_disc.calibrate import calibrate
from mrs_disc.calibrate.assess import assess
from mrs_disc.calibrate.population import fit_population
from mrs_disc.calibrate.table import read_cohort
from mrs_disc.calibrate.write import card_html, model_toml
from mrs_disc.errors import InputError
from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import ScoreOptions
from mrs_disc.scoring import score_discs
from mrs_disc.scoring.disc import Disc
from mrs_disc.statistics import area_under_curve, wilson_interval

MEAN, SD, SHARE, PATIENT_SD = (-2.9, -1.9, -0.9), (0.45, 0.45, 0.45), (0.35, 0.35, 0.3), 0.3
SUMS = ("acidity", "structure", "log(acidity/structure)", "acidity/structure")
HEADER = [
    *("participant_id", "level", "run", "status", "verdict", "provocation", "pfirrmann"),
    *(name + end for name in SUMS for end in ("", "_sd")),
    "log(acidity/structure)_high",
]


def write_cohort(path, seed=1, patients=80, discs=5, error=4.0, grades=True, outcome=None):
    """Write a table drawn from the population model with errors of acidity and structure."""
    rng = np.random.default_rng(seed)
    lines = ["\t".join(HEADER)]
    for patient in range(patients):
        offset = PATIENT_SD * rng.standard_normal()
        for n in range(discs):
            kind = int(rng.choice(3, p=SHARE))
            r = MEAN[kind] + offset + SD[kind] * rng.standard_normal()
            structure = (200, 100, 90)[kind] * np.exp(0.25 * rng.standard_normal())
            a = structure * np.exp(r) + error * rng.standard_normal()
            s = structure + error * rng.standard_normal()
            result = "positive" if kind == 2 else "negative"
            if outcome is not None:
                result = outcome
            cut = max(a, 0.0)
            ratio_sd = np.hypot(error, error * cut / s) / s
            log = np.log(cut / s) if cut > 2 * error else np.nan
            log_sd = np.hypot(error / a, error / s) if cut > 2 * error else np.nan
            log_high = log + 1.96 * log_sd
            if np.isnan(log):
                log_high = np.log((cut + 1.645 * error) / s)
            grade = (1 if kind == 0 else 4) if grades else "n/a"
            numbers = (cut, error, s, error, log, log_sd, cut / s, ratio_sd, log_high)
            cells = [f"sub-{patient:03d}", f"L{n + 1}-L{n + 2}", "1", "ok", "good", result, grade]
            cells += ["n/a" if np.isnan(x) else f"{x:.6g}" for x in numbers]
            lines.append("\t".join(str(c) for c in cells))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    path = write_cohort(tmp_path_factory.mktemp("cohort") / "levels.tsv")
    return path, calibrate(path, name="local")


def test_the_generating_parameters_lie_in_their_intervals(fitted):
    fit = fitted[1].fit
    assert fit.names == ("healthy", "degenerated", "painful")
    inside = [m[0] <= t <= m[1] for m, t in zip(fit.mean_interval, MEAN, strict=True)]
    inside += [s[0] <= t <= s[1] for s, t in zip(fit.sd_interval, SD, strict=True)]
    inside.append(fit.patient_interval[0] <= PATIENT_SD <= fit.patient_interval[1])
    # Seven intervals of 95 %: two misses have a chance of 4 %.
    assert sum(inside) >= 6
    assert np.abs(fit.mean - MEAN).max() < 0.15
    assert fit.patient_sd == pytest.approx(PATIENT_SD, abs=0.12)


def test_discs_with_only_an_upper_limit_enter_as_that(tmp_path):
    """A table of logarithms alone: a third of the healthy discs have but a limit, none is lost."""
    path = write_cohort(tmp_path / "levels.tsv")
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    keep = [n for n, name in enumerate(rows[0]) if not name.startswith(("acidity", "structure"))]
    path.write_text("\n".join("\t".join(row[n] for n in keep) for row in rows))
    limited = sum(row[HEADER.index("log(acidity/structure)")] == "n/a" for row in rows)
    assert limited > 40
    fit = fit_population(read_cohort(path))
    assert fit.n_used == 400
    assert fit.mean == pytest.approx(MEAN, abs=0.15)
    # Left out, they would take the healthy discs with the least acid along.
    path.write_text("\n".join("\t".join(row[n] for n in keep[:-1]) for row in rows))
    biased = fit_population(read_cohort(path))
    assert biased.n_used == 400 - limited
    assert biased.mean[0] > MEAN[0] + 0.15


def independent_probabilities(r, e2, kind, patients, left_out):
    """Fit a linear mixed model to some patients, and predict the discs of the others.

    Compound symmetry as a dense covariance; the classes of a patient's other discs are summed over
    one by one. No grid, no quadrature, no likelihood of a ratio.
    """
    rows = {p: np.flatnonzero(patients == p) for p in np.unique(patients)}
    share = np.bincount(kind[~left_out], minlength=3) / (~left_out).sum()

    def log_density(x, mean, sd, tau, variance):
        covariance = np.diag(sd**2 + variance) + tau**2
        return multivariate_normal.logpdf(x, mean, covariance)

    def cost(theta):
        mean, sd, tau = theta[:3], np.exp(theta[3]), np.exp(theta[4])
        of = [i for i in rows.values() if not left_out[i[0]]]
        return -sum(log_density(r[i], mean[kind[i]], sd, tau, e2[i]) for i in of)

    start = [*(r[~left_out & (kind == k)].mean() for k in range(3)), np.log(0.5), np.log(0.2)]
    best = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3}).x
    mean, sd, tau = best[:3], np.exp(best[3]), np.exp(best[4])
    predicted = {}
    for of in rows.values():
        if not left_out[of[0]]:
            continue
        every = np.array(list(product(range(3), repeat=of.size)))
        weight = np.array(
            [
                np.prod(share[c]) * np.exp(log_density(r[of], mean[c], sd, tau, e2[of]))
                for c in every
            ]
        )
        for place, disc in enumerate(of):
            predicted[disc] = weight[every[:, place] == 2].sum() / weight.sum()
    return predicted


def test_cross_validation_agrees_with_an_independent_one(tmp_path):
    """Another model code, other folds and another count of the area; small errors of r."""
    path = write_cohort(tmp_path / "levels.tsv", seed=3, patients=45, discs=4, error=0.8)
    found = calibrate(path, name="local")
    cohort = read_cohort(path)
    a, s = cohort.columns["acidity"], cohort.columns["structure"]
    r, e2 = np.log(a / s), (0.8 / a) ** 2 + (0.8 / s) ** 2
    kind = np.where(cohort.painful, 2, np.where(cohort.pfirrmann <= 2, 0, 1))
    patients = np.array([int(p.removeprefix("sub-")) for p in cohort.patients])
    predicted = np.empty(r.size)
    for fold in range(5):
        some = independent_probabilities(r, e2, kind, patients, patients % 5 == fold)
        predicted[list(some)] = list(some.values())
    sick, well = predicted[cohort.painful], predicted[~cohort.painful]
    auc = (sick[:, None] > well).mean()
    brier = np.mean((predicted - cohort.painful) ** 2)
    # Other folds move the figures of 180 discs by a few thousandths.
    assert found.assessment.auc == pytest.approx(auc, abs=0.008)
    assert found.assessment.brier == pytest.approx(brier, abs=0.006)


def test_cross_validated_auc_is_that_of_scikit_learn_on_the_same_predictions(fitted):
    metrics = pytest.importorskip("sklearn.metrics")
    path, found = fitted
    from mrs_disc.calibrate import SEED, _population
    from mrs_disc.calibrate.assess import cross_validated

    cohort = read_cohort(path)
    predicted = cross_validated(cohort, _population, folds=5, seed=SEED)
    assert found.assessment.auc == pytest.approx(metrics.roc_auc_score(cohort.painful, predicted))
    brier = metrics.brier_score_loss(cohort.painful, predicted)
    assert found.assessment.brier == pytest.approx(brier)
    assert found.assessment.auc_low < found.assessment.auc < found.assessment.auc_high


def test_the_model_drops_into_a_recipe_and_predicts_what_was_cross_validated(fitted, tmp_path):
    """The written file, read back, ranks the cohort about as well as the cross-validation says."""
    path, found = fitted
    file = tmp_path / "local.toml"
    file.write_text(model_toml(found))
    model = load_score_model(str(file))
    cohort = read_cohort(path)
    table = cohort.columns
    scores = []
    for row in range(60):
        disc = Disc(
            level="L4-L5",
            acidity=table["acidity"][row],
            acidity_sd=table["acidity_sd"][row],
            structure=table["structure"][row],
            structure_sd=table["structure_sd"][row],
            components=("PG", "LAC", "ALA", "PA", "COL"),
            echo_time_s=0.03,
            field_t=3.0,
        )
        scores.append(score_discs([disc], model, ScoreOptions())[0].value)
    assert area_under_curve(np.array(scores), cohort.painful[:60]) > 0.85
    content = tomllib.loads(file.read_text())
    assert content["validated"] is False
    assert content["performance"]["auc"] == pytest.approx(found.assessment.auc, rel=1e-5)


def test_a_recipe_names_the_written_file_unchanged(fitted, tmp_path):
    import mrs_disc as md

    (tmp_path / "local.toml").write_text(model_toml(fitted[1]))
    recipe = tmp_path / "mine.toml"
    recipe.write_text('schema_version = 1\n[score]\nmodel = "local.toml"\nprevalence = 0.5\n')
    study, _ = md.simulate_study(7, levels=["L4-L5"], anatomy=False, snr=20.0, lipid=False)
    report = md.analyze(study, recipe)
    assert report.models["score"] == "local@1"
    score = report["L4-L5"].score
    assert score.model == "local@1"
    assert 0 < score.value < 1
    assert score.inputs["prevalence"] == 0.5
    assert any("trained on: local cohort" in r for r in score.reasons)


def test_without_grades_there_are_two_classes(tmp_path):
    path = write_cohort(tmp_path / "levels.tsv", grades=False, patients=40)
    found = calibrate(path, name="two", folds=3)
    assert found.fit.names == ("painless", "painful")
    assert found.fit.painful == (False, True)


def test_logistic_regression_is_scikit_learns_and_its_card_is_complete(tmp_path):
    linear = pytest.importorskip("sklearn.linear_model")
    path = write_cohort(tmp_path / "levels.tsv", patients=40)
    found = calibrate(path, name="logit", kind="logistic")
    cohort = read_cohort(path)
    x = cohort.columns["acidity/structure"]
    z = ((x - x.mean()) / x.std())[:, None]
    own = linear.LogisticRegression(C=1.0).fit(z, cohort.painful)
    assert found.fit.coefficient[0] == pytest.approx(own.coef_[0, 0], rel=1e-3)
    assert found.content["term"][0]["quantity"] == "acidity/structure"
    html = card_html(found)
    assert "AUC" in html
    assert "src=" not in html
    assert "research use only" in html.lower()


def test_card_of_a_population_model_names_figures_and_warnings(fitted):
    html = card_html(fitted[1])
    assert f"{fitted[1].assessment.auc:.3f}" in html
    assert "Calibration" in html
    assert "healthy" in html


def test_two_runs_write_the_same_bytes(fitted, tmp_path):
    path, found = fitted
    assert model_toml(calibrate(path, name="local")) == model_toml(found)


# ------------------------------------------------------------------ refusals and warnings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outcome": "negative"}, "are painless"),
        ({"outcome": "positive"}, "are painful"),
        ({"patients": 3}, "at least"),
        ({"outcome": "indeterminate"}, "no disc can be used"),
    ],
)
def test_a_cohort_that_cannot_teach_anything_is_refused(tmp_path, options, words):
    path = write_cohort(tmp_path / "levels.tsv", **{"patients": 30, **options})
    with pytest.raises(InputError, match=words):
        calibrate(path, name="x")


def test_five_patients_are_too_few_however_many_discs(tmp_path):
    path = write_cohort(tmp_path / "levels.tsv", patients=5, discs=10)
    with pytest.raises(InputError, match="5 patients; at least 6"):
        calibrate(path, name="x")


def test_a_missing_column_is_named_with_a_suggestion(tmp_path):
    path = write_cohort(tmp_path / "levels.tsv", patients=10)
    with pytest.raises(InputError, match="Did you mean 'provocation'"):
        calibrate(path, name="x", outcome="provokation")


def test_reversed_outcomes_are_not_fitted(tmp_path):
    path = write_cohort(tmp_path / "levels.tsv", patients=30)
    text = path.read_text().replace("positive", "x").replace("negative", "positive")
    path.write_text(text.replace("x\t", "negative\t"))
    with pytest.raises(InputError, match="no more acid"):
        calibrate(path, name="x")


@pytest.mark.parametrize("kind", ["population", "logistic"])
def test_complete_separation_is_warned_of(tmp_path, kind):
    path = write_cohort(tmp_path / "levels.tsv", patients=30, error=1.0, grades=False)
    rows = path.read_text().splitlines()
    place = HEADER.index("acidity/structure")
    cells = [row.split("\t") for row in rows[1:]]
    for row in cells:
        row[HEADER.index("provocation")] = "positive" if float(row[place]) > 0.25 else "negative"
    path.write_text("\n".join([rows[0], *("\t".join(c) for c in cells)]))
    found = calibrate(path, name="x", kind=kind)
    assert any("separated" in w for w in found.warnings)
    assert any("separated" in limit for limit in found.content["limits"])


def test_poor_failed_and_repeated_discs_are_left_out_and_counted(tmp_path):
    path = write_cohort(tmp_path / "levels.tsv", patients=30)
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("\tgood\t", "\tpoor\t")
    lines[2] = lines[2].replace("\tok\t", "\tfailed\t")
    lines.append(lines[5].replace("\t1\tok", "\t2\tok"))
    path.write_text("\n".join(lines))
    cohort = read_cohort(path)
    assert cohort.painful.size == 30 * 5 - 2
    assert cohort.skipped == {"of poor quality": 1, "failed": 1, "measured again": 1}


def test_a_comma_separated_table_reads_the_same(tmp_path):
    path = write_cohort(tmp_path / "levels.tsv", patients=20)
    comma = tmp_path / "levels.csv"
    comma.write_text(path.read_text().replace("\t", ","))
    one, other = read_cohort(path), read_cohort(comma)
    assert np.array_equal(one.columns["acidity"], other.columns["acidity"])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"\x00\x01\x02\n"])
def test_a_file_that_is_no_table_of_discs_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "odd.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_cohort(path)
    assert "\n" not in str(caught.value)


def edited(path, line, column, cell):
    """Write another cell into a line of the table, the header being line 1."""
    rows = [row.split("\t") for row in path.read_text().splitlines()]
    rows[line - 1][rows[0].index(column)] = cell
    path.write_text("\n".join("\t".join(row) for row in rows))
    return path


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("verdict", "bad", r"line 4: verdict = 'bad': good, acceptable, poor or n/a expected"),
        ("status", "perhaps", r"line 4: status = 'perhaps'"),
        ("acidity_sd", "-4.0", r"line 4: acidity_sd = -4: a standard deviation cannot be below 0"),
        ("acidity", "12,3", r"line 4: acidity = '12,3' is no number"),
        ("structure", "0.001", r"line 4: acidity/structure = \S+, but \S+ / 0.001 is"),
        ("structure", "inf", r"line 4: structure = 'inf' is no number"),
        ("pfirrmann", "7", r"line 4: pfirrmann = 7: 1 to 5 or n/a expected"),
        ("participant_id", "", r"line 4: participant_id is missing"),
        ("level", "l2l3", r"line 4: sub-000 L2-L3 run 1 stands in line 3 already"),
        ("acidity", "1\t2", r"line 4 has 17 cells"),
        ("acidity", '"1', r"line 4: acidity = '\"1' is no number"),
    ],
)
def test_a_cell_that_no_disc_can_have_is_named_with_its_line(tmp_path, column, cell, words):
    path = edited(write_cohort(tmp_path / "levels.tsv", patients=20), 4, column, cell)
    with pytest.raises(InputError, match=words) as caught:
        read_cohort(path)
    assert "\n" not in str(caught.value)


def test_one_measurement_under_two_names_is_named_with_both_lines(tmp_path):
    path = write_cohort(tmp_path / "levels.tsv", patients=20)
    copied = path.read_text().splitlines()[5].replace("sub-000", "sub-999")
    path.write_text(path.read_text() + copied + "\n")
    with pytest.raises(InputError, match="line 102: has all the numbers of line 6: one disc under"):
        read_cohort(path)


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        ("verdict", "POOR", "of poor quality"),
        ("status", "Failed", "failed"),
        ("level", "Z9", "at 'Z9', which is no disc level"),
        ("provocation", "N/A", "without a clear outcome"),
        ("provocation", "unsure", "with the outcome 'unsure'"),
    ],
)
def test_a_disc_that_does_not_count_is_left_out_and_said(tmp_path, column, cell, why):
    path = edited(write_cohort(tmp_path / "levels.tsv", patients=30), 4, column, cell)
    cohort = read_cohort(path)
    assert cohort.painful.size == 30 * 5 - 1
    assert cohort.skipped == {why: 1}
    found = calibrate(path, name="local", folds=2)
    assert f"left out: 1 {why}" in found.warnings
    assert f"left out: 1 {why}" in found.content["limits"]


@pytest.mark.parametrize(
    "spell", [lambda level: level.replace("-", ""), str.lower, lambda level: level[0] + level[1:]]
)
def test_discs_spelled_otherwise_are_not_counted_twice(tmp_path, spell):
    path = write_cohort(tmp_path / "levels.tsv", patients=20)
    head, *lines = path.read_text().splitlines()
    again = [line.split("\t") for line in lines]
    again = ["\t".join([row[0], spell(row[1]), "2", *row[3:]]) for row in again]
    path.write_text("\n".join([head, *lines, *again]))
    cohort = read_cohort(path)
    assert cohort.painful.size == 100
    assert cohort.skipped == {"measured again": 100}


@pytest.mark.parametrize(
    ("name", "words"),
    [("acidity", "the column 'acidity' is there twice"), ("", "a column has no name")],
)
def test_a_column_that_is_there_twice_or_has_no_name_is_refused(tmp_path, name, words):
    path = write_cohort(tmp_path / "levels.tsv", patients=20)
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{head}\t{name}", *(f"{line}\t5.0" for line in lines)]))
    with pytest.raises(InputError, match=words):
        read_cohort(path)


def test_a_pipe_is_no_table(tmp_path):
    os.mkfifo(tmp_path / "levels.tsv")
    with pytest.raises(InputError, match="is a pipe"):
        read_cohort(tmp_path / "levels.tsv")


# ------------------------------------------------------------------ figures


def test_auc_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(0)
    score = rng.integers(0, 6, 60).astype(float)
    positive = rng.random(60) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in score[positive] for b in score[~positive]]
    assert area_under_curve(score, positive) == pytest.approx(np.mean(pairs))


def test_wilson_interval_has_its_textbook_values():
    low, high = wilson_interval(0.8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_labels_are_counted(tmp_path):
    cohort = read_cohort(write_cohort(tmp_path / "levels.tsv", patients=20))
    perfect = np.where(cohort.painful, 0.95, 0.05)
    figures = assess(perfect, cohort, resamples=50)
    assert (figures.labelled, figures.labels_wrong, figures.auc) == (1.0, 0.0, 1.0)
    assert assess(np.full(perfect.size, 0.5), cohort, resamples=50).labels_wrong is None


def test_the_name_of_the_table_stands_in_no_output(tmp_path):
    """A file may be called after a person."""
    path = write_cohort(tmp_path / "Muster_Erika.tsv", patients=30)
    found = calibrate(path, name="local", folds=2)
    assert "Muster" not in model_toml(found) + card_html(found)
