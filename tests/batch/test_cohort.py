"""What `mrs-disc cohort` writes: every part, its picture, and what could not be done."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mrs_disc as md
from mrs_disc.batch.cohort import cohort_files
from mrs_disc.batch.cohort.discs import Discs
from mrs_disc.cli import run
from mrs_disc.errors import InputError


def made(n=24, seed=1, repeats=12, runs=2):
    """Discs as `read_cohort` has them: four of each patient, some measured twice, some limits."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(n):
        own = rng.normal(0, 0.4)
        for k, level in enumerate(("L2-L3", "L3-L4", "L4-L5", "L5-S1")):
            painful = rng.random() < 0.4
            disc = -1.5 + own + 0.9 * painful + rng.normal(0, 0.5)
            for run_ in range(1, runs + 1 if k == 0 and patient < repeats else 2):
                value = float(np.exp(disc + rng.normal(0, 0.2)))
                below = value < 0.12
                rows.append(
                    {
                        "participant_id": f"sub-{patient:02d}",
                        "session_id": None,
                        "level": level,
                        "run": run_,
                        "status": "ok",
                        "verdict": "good",
                        "score": min(value, 1.0),
                        "provocation": "positive" if painful else "negative",
                        "likelihood_ratio": value * 3,
                        "LAC/PG": value,
                        "LAC/PG_high": 0.12 if below else value * 1.5,
                        "LAC/PG_limit": "upper" if below else None,
                        "snr": 20.0 - run_,
                        "pfirrmann": float(2 + painful),
                    }
                )
    table = pd.DataFrame(rows)
    table.attrs |= {"failed": {}, "dictionary": {}}
    return table


def read(files, name):
    return pd.read_csv(io.BytesIO(files[name]), sep="\t", na_values="n/a")


@pytest.fixture(scope="module")
def files():
    told = {f"sub-{k:02d}": {"centre": "AB"[k % 2]} for k in range(24)}
    return cohort_files(made(), groups=["provocation", "centre"], participants=told)[0]


def test_every_part_has_a_table_and_pictures(files):
    pictures = ("groups_provocation", "groups_centre", "roc", "retest")
    assert set(files) == {
        *("cohort.txt", "discs.tsv", "groups.tsv", "roc.tsv", "roc_curve.tsv"),
        *("retest.tsv", "retest_pairs.tsv"),
        *(f"{name}.{kind}" for name in pictures for kind in ("png", "svg")),
    }
    for name in pictures:
        with Image.open(io.BytesIO(files[f"{name}.png"])) as picture:
            assert "research" in picture.text["Description"].lower()
        assert files[f"{name}.svg"].startswith(b"<svg")


def test_limits_are_counted_and_kept(files):
    table = made()
    groups = read(files, "groups.tsv")
    of = groups[(groups["column"] == "provocation") & (groups["quantity"] == "LAC/PG")]
    best = table[table["run"] == 1]
    assert of["n_limits"].sum() == (best["LAC/PG_limit"] == "upper").sum() > 5
    assert of["n_discs"].sum() == len(best)
    assert set(of["method"]) == {"censored likelihood"}
    assert of["difference"].iloc[1] == pytest.approx(0.9, abs=0.35)
    assert of["difference_low"].iloc[1] < 0.9 < of["difference_high"].iloc[1]
    roc = read(files, "roc.tsv").set_index("quantity")
    assert roc.loc["LAC/PG", "n_limits"] == of["n_limits"].sum()
    assert roc.loc["score", "auc_low"] < roc.loc["score", "auc"] < roc.loc["score", "auc_high"]
    retest = read(files, "retest.tsv").set_index("quantity")
    assert retest.loc["likelihood_ratio", "within_sd"] == pytest.approx(0.2, rel=0.5)
    assert retest.loc["LAC/PG", "n_discs"] == 12


def test_the_table_of_discs_holds_what_was_used(files):
    discs = read(files, "discs.tsv")
    table = made()
    assert len(discs) == len(table)
    assert discs["best_run"].sum() == (table["run"] == 1).sum()
    below = table["LAC/PG_limit"] == "upper"
    assert discs.loc[below, "LAC/PG"].to_numpy() == pytest.approx(0.12)
    assert discs.loc[~below, "LAC/PG"].to_numpy() == pytest.approx(
        table["LAC/PG"][~below], rel=1e-5
    )


def test_the_same_table_gives_the_same_bytes(files):
    told = {f"sub-{k:02d}": {"centre": "AB"[k % 2]} for k in range(24)}
    again, _ = cohort_files(made(), groups=["provocation", "centre"], participants=told)
    assert again == files


def test_what_cannot_be_done_is_a_sentence():
    table = made(n=2, repeats=0)
    table["provocation"] = None
    files, left = cohort_files(table)
    told = "\n".join(left)
    assert "Groups by provocation: not compared, no disc with a value." in told
    assert "ROC against provocation: not done, 0 positive and 0 negative discs" in told
    assert "Repeated runs: not compared, 0 discs were measured twice" in told
    assert set(files) == {"cohort.txt", "discs.tsv"}
    text = files["cohort.txt"].decode()
    assert all(sentence in text for sentence in left)
    table["pfirrmann"] = 3.0
    assert any("one group alone (3)" in one for one in cohort_files(table)[1])


def test_unusable_rows_are_counted_and_a_limit_of_limits_is_told():
    table = made()
    table.loc[0:3, "verdict"] = "poor"
    table["review"] = ["rejected" if i == 10 else "" for i in range(len(table))]
    assert Discs.of(table, (), {}).out == 5
    table["LAC/PG_limit"] = "upper"
    table["LAC/PG_high"] = 0.3
    left = cohort_files(table, quantities=["LAC/PG"])[1]
    assert any(
        "by provocation: not compared, fewer than two groups left: LAC/PG." in one for one in left
    )
    assert any("nearly all runs are limits" in one for one in left)


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(InputError, match=r"no column 'pfirman'.*Did you mean 'pfirrmann'"):
        cohort_files(made(), groups=["pfirman"])
    with pytest.raises(InputError, match=r"no quantity 'LAC/P'.*Did you mean 'LAC/PG'"):
        cohort_files(made(), quantities=["LAC/P"])


def test_the_command_writes_all_or_nothing(tmp_path, capsys):
    study, _ = md.simulate_study(seed=1, levels=["L4-L5", "L5-S1"])
    md.write_report(md.analyze(study), tmp_path / "all" / "sub-01", formats=["json"])
    words = ["cohort", str(tmp_path / "all"), "-o", str(tmp_path / "out")]
    assert run(words) == 0
    said = capsys.readouterr()
    assert "cohort.txt" in said.out
    assert "Repeated runs: not compared" in said.err
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert run(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    (tmp_path / "out" / "retest.tsv").write_text("of another cohort")
    (tmp_path / "out" / "mine.tsv").write_text("mine")
    assert run([*words, "--overwrite"]) == 0
    assert (tmp_path / "out" / "mine.tsv").read_text() == "mine"
    (tmp_path / "out" / "mine.tsv").unlink()
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert run([*words[:-1], str(tmp_path / "new"), "--group", "age"]) == 2
    assert not (tmp_path / "new").exists()


def test_every_later_run_stands_in_the_picture_of_differences_and_its_table():
    """Three runs of each repeated disc: two differences from the first, as the table has them."""
    table = made(runs=3)
    files, _ = cohort_files(table)
    pairs = read(files, "retest_pairs.tsv")
    mine = pairs[pairs.quantity == "LAC/PG"]
    assert (mine.groupby("participant_id").size() == 2).all()
    runs = set(zip(mine.run_1, mine.run_2, mine.later, strict=True))
    assert runs == {(1, 2, 1), (1, 3, 2)}
    disc = table[(table.participant_id == "sub-03") & (table.level == "L2-L3")].set_index("run")
    row = mine[(mine.participant_id == "sub-03") & (mine.run_2 == 3)].iloc[0]
    column = "LAC/PG_high" if row.limit_2 == "upper" else "LAC/PG"
    assert row.value_2 == pytest.approx(np.log(disc.loc[3, column]), rel=1e-5)  # six digits
    words = Image.open(io.BytesIO(files["retest.png"])).text
    assert any("Repeated runs" in text for text in words.values())
    assert read(files, "retest.tsv").n_runs.max() == 36
    image = np.asarray(Image.open(io.BytesIO(files["retest.png"])).convert("L"))
    two = np.asarray(Image.open(io.BytesIO(cohort_files(made())[0]["retest.png"])).convert("L"))
    assert image.shape == two.shape
    assert (image != two).any()


def test_a_measurement_under_two_names_is_used_once():
    table = made()
    for k, name in enumerate(("snr", "a", "b", "c")):
        table[f"{name}_sd"] = np.arange(len(table)) / 7 + k
        table[name] = table[f"{name}_sd"] * 3
    copied = table.iloc[[3, 5]].assign(participant_id="sub-99")
    discs = Discs.of(pd.concat([table, copied], ignore_index=True), (), {})
    assert discs.n_copies == 2
    assert not discs.usable[-2:].any()
    assert discs.usable[:-2].sum() == Discs.of(table, (), {}).usable.sum()
