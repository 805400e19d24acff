"""The pages show what was measured, and only that."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from ..faults.test_faults import FAULTS

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture
def tables(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location("batch_tables", TOOLS / "batch_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_in_the_pages_are_those_of_the_measured_record(tables):
    found = json.loads(tables.MEASURED.read_text())
    assert tables.summary(found) in tables.README.read_text()
    assert tables.whole(found) in tables.PIPELINES.read_text()
    assert tables.fault_table(found) in tables.FAULTS.read_text()


def test_every_fault_of_the_suite_is_in_the_table(tables):
    found = json.loads(tables.MEASURED.read_text())
    told = [row["name"] for row in found["faults"]["faults"]]
    assert len(told) == len(set(told)) > 40
    assert sorted(told) == sorted(fault.name for fault in FAULTS)
