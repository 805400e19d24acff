"""The tables: complete, reproducible, and honest about what fails."""

import json

import pytest

from mrs_disc.cli import run
from mrs_disc.errors import InputError
from mrs_disc.validate import accuracy, accuracy_text, validate_fit
from mrs_disc.validate.regimes import JUDGED


def test_matched_discs_are_recovered():
    """Thirty discs: RMSE within three standard errors (13 % each) of the bound."""
    table = validate_fit(3, 30, regimes=["matched"])
    assert [line.quantity for line in table.lines] == list(JUDGED)
    for line in table.lines:
        assert line.failures == 0
        assert line.n == 30
        assert line.rmse < 1.5
        assert line.coverage_percent >= 80


def test_same_seed_gives_the_same_table():
    a, b = (validate_fit(4, 3, regimes=["ensemble"]).lines for _ in range(2))
    assert a == b


def test_refused_disc_counts_against_coverage(monkeypatch):
    def refuse(*_):
        raise InputError("no")

    monkeypatch.setattr(accuracy, "preprocess", refuse)
    table = validate_fit(3, 4, regimes=["matched"])
    assert all(line.failures == 4 and line.coverage_percent == 0 for line in table.lines)
    assert not any(line.holds for line in table.lines)
    assert "outside" in accuracy_text(table)


def test_unknown_regime_is_one_line():
    with pytest.raises(InputError, match="Did you mean 'matched'"):
        validate_fit(1, 1, regimes=["matchd"])


def test_command_prints_a_table_or_one_json_document(capsys):
    arguments = ["validate", "--scope", "fit", "--discs", "2", "--regime", "matched"]
    assert run(arguments) == 0
    assert "PG" in capsys.readouterr().out
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {line["quantity"] for line in document["fit"]["lines"]} == set(JUDGED)
