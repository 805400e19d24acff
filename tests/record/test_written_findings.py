"""results.json holds as data what it says in words: every sentence of a level has its finding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mrs_disc as md
from mrs_disc.record.file import read_results
from mrs_disc.record.findings import KINDS, words

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"


@pytest.fixture(scope="module", params=["lumbar_rda", "bids/sub-04"])
def written(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    md.write_report(md.analyze(md.read_study(SAMPLES / request.param)), out, formats=("json",))
    return out / "results.json"


def test_every_sentence_of_a_level_is_that_of_one_of_its_findings(written):
    levels = json.loads(written.read_text())["levels"]
    assert levels
    for entry, level in zip(levels, read_results(written).levels, strict=True):
        sentences = [words(one) for one in level.findings]
        said = [*entry["quality"]["reasons"], *entry["notes"], *entry["score"]["reasons"]]
        assert said
        assert not set(said) - set(sentences)


def test_findings_are_codes_of_the_vocabulary_with_plain_values(written):
    for entry in json.loads(written.read_text())["levels"]:
        for one in entry["findings"]:
            assert set(one) == {"kind", "subject", "values"}
            assert one["kind"] in KINDS
            assert json.loads(json.dumps(one["values"])) == one["values"]


def test_a_file_of_an_older_version_without_findings_keeps_its_sentences(written, tmp_path):
    record = json.loads(written.read_text())
    reasons = [entry["quality"]["reasons"] for entry in record["levels"]]
    for part in (record, *record["levels"]):
        part.pop("findings")
    old = tmp_path / "results.json"
    old.write_text(json.dumps(record))
    assert [list(level.quality.reasons) for level in read_results(old).levels] == reasons
