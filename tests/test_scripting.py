"""What people who script ask of results: tables, curves, pictures, other choices; and back."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import mrs_disc as md
from mrs_disc.batch.collect import columns
from mrs_disc.data.results import FitResult
from mrs_disc.errors import InputError, ModelError, ReadError, RecipeError
from mrs_disc.models import load_metabolite_model

mpl.use("agg")


@pytest.fixture(scope="module")
def study():
    """Two discs of the demo."""
    whole = md.read_study(Path(__file__).parents[1] / "sample_data" / "demo")
    return replace(whole, discs=whole.discs[2:4])


@pytest.fixture(scope="module")
def report(study):
    return md.analyze(study)


@pytest.fixture(scope="module")
def pre(study):
    return md.preprocess(study["L4-L5"])


@pytest.fixture(scope="module")
def written(report, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "report"
    md.write_report(report, out, formats=["json"])
    return out


# --------------------------------------------------------------------------- objects


def test_nothing_that_a_prompt_shows_is_longer_than_a_screen(study, report, pre, written):
    back = md.read_results(written)
    shown = [study, study["L4-L5"], study["L4-L5"].metabolite, report, report["L4-L5"], pre]
    shown += [pre.fid, report["L4-L5"].fit, report["L4-L5"].fit.curves, report["L4-L5"].signals]
    shown += [report["L4-L5"].measurement, back, back.recorded, back["L4-L5"].fit.spectrum()]
    for one in shown:
        lines = repr(one).splitlines()
        assert len(lines) <= 40, type(one)
        assert max(map(len, lines)) <= 140, type(one)
    assert "L4-L5: likely painful" in repr(report)
    assert f"{report['L4-L5'].fit.amplitude[1]:.4g}" in repr(report["L4-L5"].fit)


def test_a_report_counts_and_yields_its_levels(report):
    assert len(report) == len(report.levels) == len(list(report)) == 2
    assert [level.level for level in report] == ["L3-L4", "L4-L5"]


def test_a_report_as_a_table_has_the_columns_of_the_dataset_and_the_numbers_of_the_record(report):
    found = report.to_dataframe()
    names = list(report["L4-L5"].quantities)
    components = list(report["L4-L5"].fit.names)
    expected = [c for c in columns(names, components) if not c.startswith("review")]
    assert list(found.columns) == ["study_id", *expected[2:]]
    row = found.set_index("level").loc["L4-L5"]
    assert row["LAC/PG"] == report["L4-L5"].quantities["LAC/PG"].value
    assert row["score"] == report["L4-L5"].score.value


def test_a_fit_as_a_table_is_what_the_record_says(report, written):
    found = report["L4-L5"].fit.to_dataframe().set_index("component")
    record = json.loads((written / "results.json").read_text())["levels"][1]["fit"]["metabolites"]
    assert list(found.index) == list(record)
    for name, one in record.items():
        assert found.loc[name, "amplitude"] == pytest.approx(one["amplitude"], rel=1e-9)
        assert found.loc[name, "high"] == pytest.approx(one["high"], rel=1e-9)
        limit = found.loc[name, "limit"]
        assert (None if pd.isna(limit) else limit) == one["limit"]


def test_a_spectrum_is_the_sum_over_its_points(report):
    """The defining sum at a few places of the axis, phased by the delay: another route."""
    fit = report["L4-L5"].fit
    found, curves = fit.spectrum(apodize_hz=4, zero_fill=3), fit.curves
    time = curves.sampling.dwell_time_s * np.arange(curves.data.size)
    half = np.ones(time.size)
    half[0] = 0.5
    for k in np.searchsorted(found.ppm, [0.9, 1.31, 2.04, 3.2]):
        hz = (found.ppm[k] - curves.sampling.reference_ppm) * curves.sampling.spectrometer_mhz
        kernel = half * np.exp(-np.pi * 4 * time - 2j * np.pi * hz * (time + fit.phase.delay_s))
        assert found.data[k] == pytest.approx((curves.data @ kernel).real, rel=1e-9)
        assert found.fit[k] == pytest.approx((curves.fit @ kernel).real, rel=1e-9)
        assert found["LAC"][k] == pytest.approx((curves.components[1] @ kernel).real, rel=1e-7)
    assert found.residual == pytest.approx(found.data - found.fit)
    total = found.baseline + found.components.sum(axis=0)
    assert total == pytest.approx(found.fit)


def test_the_noise_of_an_apodized_spectrum_is_that_of_apodized_noise(report):
    fit = report["L4-L5"].fit
    rng = np.random.default_rng(1)
    n = fit.curves.data.size
    for apodize_hz in (0.0, 8.0):
        noise = fit.noise.sd * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
        alone = replace(fit, curves=replace(fit.curves, data=noise)).spectrum(apodize_hz)
        assert alone.noise_sd == pytest.approx(alone.data.std(), rel=0.15)


@pytest.mark.parametrize("options", [{"apodize_hz": -1}, {"zero_fill": 0}, {"zero_fill": 1.5}])
def test_a_spectrum_refuses_what_it_cannot_do(report, options):
    with pytest.raises(InputError, match=next(iter(options))):
        report["L4-L5"].fit.spectrum(**options)


def test_pictures_are_drawn_on_the_axes_that_were_given_and_change_nothing_global(report):
    from matplotlib.figure import Figure

    before = dict(mpl.rcParams)
    left, right = Figure().subplots(1, 2)
    assert report["L4-L5"].plot(left, ppm=(0.5, 2.5)) is left
    assert md.plot_levels(report, right) is right
    assert left.get_xlim() == (2.5, 0.5)
    names = {text.get_text().strip("()") for text in left.texts}
    assert "lactate" in names
    assert "choline" not in names  # its line lies outside
    assert {"L3-L4", "L4-L5"} <= {text.get_text() for text in right.texts}
    assert dict(mpl.rcParams) == before


def test_a_component_whose_highest_line_is_beyond_is_named_at_its_first(report):
    """Collagen: 1.71, 3.02 and 3.36 ppm."""
    from matplotlib.figure import Figure

    axes = report["L4-L5"].plot(Figure().subplots(), ppm=(2.9, 0.6))
    (place,) = [text for text in axes.texts if text.get_text().strip("()") == "collagen"]
    assert place.get_position()[0] == pytest.approx(1.71, abs=0.15)


def test_a_fit_is_drawn_as_in_the_report(report):
    """One figure code: the same curve, both on a scale to 100."""
    from matplotlib.figure import Figure

    from mrs_disc.report import figures
    from mrs_disc.report.curves import spectra

    level = report["L4-L5"]
    curves = spectra(level.record, level.signals)
    theirs = figures.spectrum_figure(level.record, curves, curves.top).axes[0]
    own = level.plot(Figure().subplots(), ppm=(4.5, 0.5))
    lines = [{line.get_label(): line for line in axes.lines} for axes in (theirs, own)]
    for name in ("data", "fit", "baseline"):
        assert np.array_equal(lines[0][name].get_ydata(), lines[1][name].get_ydata())


def test_the_first_screen_of_a_report_is_html_that_styles_nothing_else(report):
    page = report._repr_html_()
    style, _, body = page.partition("</style>")
    rules = [line for line in style.splitlines() if "{" in line]
    assert rules
    assert all(line.startswith(".mrs-disc") for line in rules)
    assert "likely painful" in body
    assert "research" in body.lower()
    assert "<script" not in page


# --------------------------------------------------------------------------- and back again


def test_a_report_that_was_read_back_is_the_one_that_was_written(report, written):
    back = md.read_results(written)
    assert md.read_results(written / "results.json").impression == back.impression
    assert (back.recipe, repr(back)) == (report.recipe, repr(report))
    pd.testing.assert_frame_equal(back.to_dataframe(), report.to_dataframe(), rtol=1e-9)
    ours, theirs = back["L4-L5"].fit, report["L4-L5"].fit
    assert isinstance(ours, FitResult)
    assert ours.covariance == pytest.approx(theirs.covariance, rel=1e-8)
    assert ours.crlb == pytest.approx(theirs.crlb, rel=1e-8)
    a, b = ours.spectrum(), theirs.spectrum()
    assert a.data == pytest.approx(b.data, abs=1e-5 * b.data.max())  # single precision, summed
    assert back._repr_html_() == report._repr_html_()
    scores = md.score(back)
    assert scores["L4-L5"].value == pytest.approx(report["L4-L5"].score.value, rel=1e-6)


def test_a_report_that_was_read_back_is_written_with_the_same_bytes(written, tmp_path):
    md.write_report(md.read_results(written), tmp_path / "again", formats=["csv"])
    for name in ("results.json", "signals.npz"):
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes()
    assert (tmp_path / "again" / "levels.csv").exists()


def test_a_record_alone_has_all_but_curves(written, tmp_path):
    (tmp_path / "results.json").write_bytes((written / "results.json").read_bytes())
    back = md.read_results(tmp_path)
    assert back["L4-L5"].fit is None
    assert back["L4-L5"].quantities["LAC/PG"].value > 0
    with pytest.raises(InputError, match="none can be drawn"):
        md.plot_levels(back)
    with pytest.raises(InputError, match="L4-L5 cannot be drawn"):
        back["L4-L5"].plot()


def test_an_option_of_another_version_is_named_and_the_rest_is_read(written, tmp_path):
    record = json.loads((written / "results.json").read_text())
    record["recipe"]["fit"] |= {"later": 1, "window_ppm": [0.6, 4.1]}
    record["recipe"]["quality"] |= {"min_snr": 9.0, "good_snr": 12.0}
    (tmp_path / "results.json").write_text(json.dumps(record))
    back = md.read_results(tmp_path)
    assert back.recipe.fit.window_ppm == (0.6, 4.1)
    assert back.recipe.quality.min_snr == 9.0
    assert [n for n in back.notices if "fit.later" in n]


def test_what_is_no_report_is_said_in_one_line(tmp_path):
    with pytest.raises(ReadError, match=r"results\.json: is not in"):
        md.read_results(tmp_path)


# --------------------------------------------------------------------------- choices


def test_a_recipe_is_replaced_as_a_file_is_read(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('name = "own"\n[fit]\nwindow_ppm = [0.5, 3.0]\nexclude = ["PA"]\n')
    options = {"window_ppm": (0.5, 3.0), "exclude": ["PA"]}
    assert md.load_recipe().replace(name="own", fit=options) == md.load_recipe(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fit": {"window": 1}}, r"recipe default: \[fit\] has no option 'window'"),
        ({"fits": {}}, "has no option 'fits'. Did you mean 'fit'"),
        ({"fit": {"window_ppm": (3, 0.5)}}, "has to rise"),
        ({"quality": {"min_snr": 20}}, "good_snr is below min_snr"),
        ({"fit": {"exclude": "PA"}}, "should be a list"),
        ({"fit": 3}, r"\[fit\] should be"),
    ],
)
def test_a_replaced_option_is_refused_as_in_a_file(change, message):
    with pytest.raises(RecipeError, match=message):
        md.load_recipe().replace(**change)


def test_an_excluded_component_is_that_of_a_model_without_it(pre):
    model = load_metabolite_model("disc_1h")
    smaller = model.model_copy(
        update={
            "component": tuple(c for c in model.component if c.name != "PA"),
            "prior": tuple(p for p in model.prior if "PA" not in (p.numerator, p.denominator)),
        }
    )
    found, expected = md.fit(pre, exclude=["PA"]), md.fit(pre, model=smaller)
    assert np.array_equal(found.amplitude, expected.amplitude)
    assert np.array_equal(found.covariance, expected.covariance)
    assert [f.kind for f in found.findings] == ["components_excluded"]
    assert expected.findings == ()


def test_an_excluded_component_is_told_and_a_score_that_needs_it_is_not_given(study):
    report = md.analyze(study, exclude=["PA"], levels=["L4-L5"])
    level = report["L4-L5"]
    assert report.recipe.fit.exclude == ("PA",)
    assert "not fitted, as the recipe excludes it: PA" in level.notes
    assert level.score.value is None
    assert "PA" in level.score.reasons[0]
    assert level.quantities["PA/PG"].value is None
    assert report.recipe_sha256 != md.analyze(study, levels=["L4-L5"]).recipe_sha256


def test_a_component_that_is_not_there_cannot_be_excluded(study):
    with pytest.raises(ModelError, match=r"recipe default, \[fit\]: exclude: .*'LACT'.*'LAC'"):
        md.analyze(study, exclude=["LACT"])
    with pytest.raises(ModelError, match="no component of model disc_1h is left"):
        md.analyze(study, exclude=[c.name for c in load_metabolite_model("disc_1h").component])


def test_a_window_leaves_out_what_it_does_not_show(pre):
    found = md.fit(pre, md.load_recipe().replace(fit={"window_ppm": (0.5, 3.0)}))
    assert found.names == ("PG", "LAC", "ALA", "PA", "COL", "LIP")
    assert found.notes == (
        "not told: CHO and CARB, no line of which lies between 0.50 and 3.00 ppm; what reaches in "
        "between counts as baseline",
    )
    usual = md.fit(pre)
    lac, sd = usual.amplitude[1], found.sd[1]
    assert abs(found.amplitude[1] - lac) < 2 * sd  # the same line, seen without its neighbours
    spectrum = found.spectrum()
    inside = (spectrum.ppm > 0.5) & (spectrum.ppm < 3.0)
    assert spectrum.residual[inside].std() < 1.2 * spectrum.noise_sd  # their feet are in the fit


def test_a_window_without_the_quality_peak_judges_on_another_and_says_so(pre):
    found = md.fit(pre, md.load_recipe().replace(fit={"window_ppm": (2.6, 4.2)}))
    assert "PG" not in found.names
    assert found.peak.name == "LAC"
    assert found.notes[-1].startswith(
        "PG is not among the fitted: SNR and linewidth are judged on LAC"
    )
    reason = md.quantify(found, pre)["LAC/PG"].reason
    assert reason.endswith("as fitted has no PG")


def test_a_window_without_any_line_is_refused(pre):
    with pytest.raises(InputError, match="no line of model disc_1h lies between"):
        md.fit(pre, md.load_recipe().replace(fit={"window_ppm": (6.0, 8.0)}))


def test_a_simulated_component_is_seen_where_its_line_is(pre):
    """The same line as numbers and as a FID: a window treats both alike."""
    from mrs_disc.models import Component, Resonance
    from mrs_disc.models.basis import BasisFid
    from mrs_disc.steps.chosen import chosen

    model, sampling = load_metabolite_model("disc_1h"), pre.fid.sampling
    dwell_s = 2.5e-4
    hz = (3.21 - sampling.reference_ppm) * sampling.spectrometer_mhz
    fid = np.exp(2j * np.pi * hz * dwell_s * np.arange(2048))
    file = Component(name="OWN", basis="own.raw")
    file._simulated = BasisFid(fid=fid, dwell_time_s=dwell_s, sha256="0" * 64)
    line = Component(name="OWN", resonance=(Resonance(ppm=3.21, weight=9),))
    options = md.load_recipe().fit
    for window, seen in (((0.5, 4.2), True), ((0.5, 3.0), False), ((3.0, 4.0), True)):
        for component in (file, line):
            own = model.model_copy(update={"component": (*model.component, component)})
            found = chosen(own, options, sampling, window)
            told = {c.name for c in found.model.component} - set(found.feet)
            assert ("OWN" in told) is seen


def test_own_steps_with_their_defaults_are_those_of_an_analysis(study, report):
    found = {}
    for level in study.levels:
        pre = md.preprocess(study[level])
        fit = md.fit(pre)
        found[level] = md.LevelMeasurement(
            preprocessed=pre,
            fit=fit,
            quality=md.grade(fit, pre),
            quantities=md.quantify(fit, pre, morphology=study[level].morphology),
        )
    scores = md.score(found)
    for level in report:
        assert scores[level.level].value == pytest.approx(level.score.value, rel=1e-6)
        assert found[level.level].quality.verdict == level.quality.verdict
    whole = md.measure(study["L4-L5"]).fit
    assert whole.amplitude == pytest.approx(found["L4-L5"].fit.amplitude, rel=1e-9)


# --------------------------------------------------------------------------- the interface


def test_every_public_name_says_what_it_takes_gives_and_refuses():
    """Functions alone: a class documents its fields."""
    for name in md.__all__:
        public = getattr(md, name)
        if not callable(public):
            continue
        text = public.__doc__ or ""
        assert "Parameters\n" in text, name
        assert is_dataclass(public) or "Returns\n" in text, name


def test_records_say_what_their_fields_are():
    text = md.LevelMeasurement.__doc__
    for one in fields(md.LevelMeasurement):
        assert one.name in text
    assert Path(md.__file__).name == "__init__.py"
