"""No code reads a sentence: with an opaque token for each, all that is decided stays the same.

Every finding is worded twice: as it is, and as a token that only this test can turn back. What
`analyze`, `info` and `init` make of sound and of spoilt studies has to be the same both times, once
the tokens are decoded: levels, verdicts, labels, numbers, codes, and every text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import mrs_disc as md
from mrs_disc.analysis.impression import clean_reason
from mrs_disc.cli import run
from mrs_disc.io.studies.draft import draft_study
from mrs_disc.record import findings
from mrs_disc.record.findings import plain

from .test_faults import FAULTS

SAMPLES = Path(__file__).parents[2] / "sample_data"
STUDIES = ("demo", "failing", "lumbar_dicom", "cervical_sdat", "bids/sub-01")
SPOILT = {
    "truncated", "half of a pair is missing", "a folder", "another nucleus", "no echo time",
    "echo time in words", "edited data", "frequency in Hz", "a dimension of another kind",
    "a list for a sidecar", "constant", "clipped by the receiver", "one dead coil",
    "water in place of metabolites", "water of another dwell time", "water of other coils",
    "water of another patient", "TOML that is a pipe",
}  # fmt: skip
TOKEN = re.compile("⟦(\\d+)⟧")


class Tokens:
    """Words each finding as a token; the same words give the same token."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.wording = findings._FORMATTER

    def vformat(self, template, args, values):
        sentence = self.decoded(self.wording.vformat(template, args, values))
        return f"⟦{self.numbers.setdefault(sentence, len(self.numbers))}⟧"

    def decoded(self, content, of_one=str):
        """Return JSON content with the sentences in the place of their tokens."""
        if isinstance(content, dict):
            return {
                key: self.decoded(value, clean_reason if key == "impression" else of_one)
                for key, value in content.items()
            }
        if isinstance(content, list):
            return [self.decoded(value, of_one) for value in content]
        if not isinstance(content, str):
            return content
        sentences = list(self.numbers)
        return TOKEN.sub(lambda found: of_one(sentences[int(found[1])]), content)


@pytest.fixture
def both_ways(monkeypatch):
    """Return what a function makes with sentences, and with tokens that were decoded."""

    def compare(make):
        said = make()
        tokens = Tokens()
        with monkeypatch.context() as patch:
            patch.setattr(findings, "_FORMATTER", tokens)
            opaque = make()
        return said, tokens.decoded(opaque)

    return compare


def analysed(study: Path, out: Path) -> dict[str, object]:
    """Return results.json and, until it holds them, the findings of each level."""
    report = md.analyze(md.read_study(study))
    md.write_report(report, out, formats=("json",))
    noticed = {}
    for level in report:
        parts = [level.failure, level.score]
        if level.measurement is not None:
            parts += [level.measurement.preprocessed, level.measurement.quality]
        found = [plain(one) for part in parts if part is not None for one in part.findings]
        noticed[f"{level.level} run {level.run}"] = found
    return {"results": json.loads((out / "results.json").read_text()), "findings": noticed}


def described(study: Path, capsys) -> dict[str, object]:
    assert run(["info", str(study), "--json"]) in (0, 3)  # 3: a level cannot be analysed
    return dict(json.loads(capsys.readouterr().out))


def codes(content) -> list[str]:
    """Return the kinds of all findings in JSON content."""
    if isinstance(content, dict):
        own = [content["kind"]] if {"kind", "subject", "values"} <= set(content) else []
        return own + [code for value in content.values() for code in codes(value)]
    return [code for value in content for code in codes(value)] if isinstance(content, list) else []


@pytest.mark.parametrize("name", STUDIES)
def test_sample_studies_are_judged_without_reading_words(name, both_ways, tmp_path):
    turn = iter(("said", "opaque"))
    said, opaque = both_ways(lambda: analysed(SAMPLES / name, tmp_path / next(turn)))
    assert opaque == said
    assert codes(said)


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.name in SPOILT], ids=lambda f: f.name)
def test_spoilt_studies_are_judged_without_reading_words(
    fault, both_ways, make_study, tmp_path, capsys
):
    study = make_study(fault.form)
    fault.spoil(study)
    turn = iter(("said", "opaque"))
    said, opaque = both_ways(lambda: analysed(study, tmp_path / next(turn)))
    assert opaque == said
    assert codes(said)
    said, opaque = both_ways(lambda: described(study, capsys))
    assert opaque == said


@pytest.mark.parametrize("name", ["demo", "failing", "lumbar_rda", "bids"])
def test_info_describes_without_reading_words(name, both_ways, capsys):
    def make():
        return described(SAMPLES / name, capsys)

    said, opaque = both_ways(make)
    assert opaque == said


def test_a_draft_is_made_without_reading_words(both_ways, make_study, tmp_path):
    study = make_study("sdat")
    (study / "study.toml").unlink()
    for path in study.iterdir():  # names that tell nothing, so that levels are guessed
        path.rename(study / path.name.replace("L4-L5", "a").replace("L5-S1", "b"))

    def make():
        draft = draft_study(study)
        return [draft.text, list(draft.remarks), draft.n_discs, draft.n_guesses]

    said, opaque = both_ways(make)
    assert opaque == said
    text, _, n_discs, n_guesses = said
    assert n_discs == 2
    assert n_guesses == text.count("GUESS") - 1  # the draft's own first line names the mark
