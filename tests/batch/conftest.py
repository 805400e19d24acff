from __future__ import annotations

from pathlib import Path

import pytest

from mrs_disc.analysis import analyze
from mrs_disc.report import write_report
from mrs_disc.simulate import simulate_study
from mrs_disc.simulate.dataset import Simulated, write_dataset

STUDY = """
schema_version = 1
study_id = "study"
[[disc]]
level = "L4-L5"
metabolite = "missing.dat"
"""


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    """Three simulated persons with two, one and one discs, as a BIDS dataset."""
    folder = tmp_path_factory.mktemp("simulated") / "data set"
    studies = [
        simulate_study(
            3,
            levels=["L4-L5", "L5-S1"][: 2 if n == 1 else 1],
            subject=n,
            study_id=f"sub-{n:02d}",
            anatomy=False,
        )
        for n in (1, 2, 3)
    ]
    write_dataset(folder, [Simulated(study=s, truth=t) for s, t in studies])
    return folder


@pytest.fixture(scope="session")
def canned_result(tmp_path_factory) -> Path:
    """A real results.json of one person with three discs."""
    out = tmp_path_factory.mktemp("canned")
    study, _ = simulate_study(4, levels=["L3-L4", "L4-L5", "L5-S1"], anatomy=False)
    write_report(analyze(study), out, formats=("json",))
    return out / "results.json"


@pytest.fixture
def fake_work(monkeypatch, canned_result):
    """The module of stand-ins, importable by spawned workers."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("CANNED_RESULT", str(canned_result))
    import fake_work

    return fake_work


@pytest.fixture
def make_dataset(tmp_path):
    """Make folders that pass for studies, each with a word for what happens to it."""

    def make(*words: str, **named: str) -> Path:
        dataset = tmp_path / "dataset"
        for name, word in {f"study-{n}": w for n, w in enumerate(words)}.items() | named.items():
            folder = dataset / name
            folder.mkdir(parents=True)
            (folder / "study.toml").write_text(STUDY)
            (folder / "behaviour.txt").write_text(word)
        return dataset

    return make
