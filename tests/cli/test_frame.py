"""The frame of the command line: exit status, one line per problem, nothing heavy for help."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from mrs_disc.cli import COMMANDS, run

HEAVY = ("numpy", "scipy", "matplotlib", "pydicom", "jinja2", "nibabel", "starlette", "pydantic")


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after running `code`."""
    program = f"{code}\nimport sys; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import mrs_disc",
        "from mrs_disc.cli import run; run(['--help'])",
    ],
)
def test_import_and_help_load_nothing_heavy(code):
    assert not modules_after(code) & set(HEAVY)


def test_every_command_has_help_with_an_example(capsys):
    for name in COMMANDS:
        assert run([name, "--help"]) == 0
        text = capsys.readouterr().out
        assert "Usage: mrs-disc" in text
        if "Commands:" not in text:
            assert "Example: mrs-disc" in text, f"{name} --help shows no example"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "--from", "A@1:2", "-o", "x", "--study", "Doe"], "a StudyInstanceUID is digits"),
        (
            ["fetch", "--from", "A@1:2", "-o", "x", "--study", "1.2", "--date", "2025-01-01"],
            "--date 2025-01-01: YYYYMMDD expected",
        ),
        (["anlyze"], "there is no command 'anlyze'. Did you mean 'analyze'?"),
        (["analyze", "--recpie", "x"], "--recpie"),
        (["analyze"], "Missing argument 'STUDY'. 'mrs-disc analyze --help' shows an example."),
        (["analyze", "", "-o", "out"], "an argument is empty"),
        (["analyze", "x", "-o", ""], "an argument is empty: is a variable of the shell not set?"),
        (["analyze", "x", "--output="], "an argument is empty"),
        (
            ["analyze", "x", "-o", "out", "--dicom-reference", "gone.dcm"],
            "--dicom-reference gone.dcm is for --format dicom, which is not asked for",
        ),
        (
            ["report", "x", "-o", "out", "--dicom-reference", "gone.dcm"],
            "--dicom-reference gone.dcm is for --format dicom, which is not asked for",
        ),
        (
            ["report", "x", "-o", "out", "--format", "pdf", "--page-image"],
            "--page-image is for --format dicom",
        ),
        (["validate", "--scope", "score", "--regime", "matched"], "add --scope fit"),
        (["validate", "--challenge", "nowhere"], "nowhere: there is no such folder"),
        (["recipe", "show", "defalt"], "no recipe is named 'defalt'. Did you mean 'default'?"),
        (
            ["recipe", "shw"],
            "no command 'shw'. Did you mean 'show'? Commands: check, schema, show.",
        ),
        (["analyze", "nowhere", "-o", "out"], "nowhere: there is no such file or folder\n"),
        (["info", "nowhere/sub-01"], "nowhere: there is no such file or folder\n"),
        (["report", "nowhere", "-o", "out"], "nowhere: there is no such file or folder\n"),
        (["init", "nowhere"], "nowhere: there is no such folder\n"),
        (["init", "."], "holds no spectrum"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    capsys, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mrs-disc: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["recipe"], ["model"]])
def test_without_a_command_the_help_keeps_its_lines(capsys, arguments):
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("Usage: mrs-disc")
    assert captured.err.count("\n") > 5


def test_a_failed_level_says_where_its_file_is_named(capsys, tmp_path):
    (tmp_path / "study.toml").write_text(
        'schema_version = 1\nstudy_id = "a"\n[[disc]]\nlevel = "L4-L5"\nmetabolite = "x.rda"\n'
    )
    assert run(["analyze", str(tmp_path), "-o", str(tmp_path / "out"), "--format", "json"]) == 3
    assert capsys.readouterr().err == (
        "mrs-disc: L4-L5 failed (read): L4-L5/metabolite.rda: there is no such file "
        f"(L4-L5/metabolite.rda is {tmp_path / 'x.rda'})\n"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gone.rda", "there is no such file"),
        (r"sub\\gone.rda", "there is no such file: write / between folders"),
        (r"C:\\data\\gone.rda", "there is no such file: write / between folders"),
    ],
)
def test_a_water_file_that_is_not_there_costs_nothing(name, says, capsys, tmp_path):
    assert run(["simulate", "-o", str(tmp_path), "--levels", "L4-L5", "--as", "rda"]) == 0
    study = tmp_path / "sub-01"
    file = study / "study.toml"
    text = file.read_text(encoding="utf-8")
    changed = re.sub(r'water = ".*"', lambda _: f'water = "{name}"', text)
    file.write_text(changed, encoding="utf-8")
    capsys.readouterr()
    out = tmp_path / "out"
    assert run(["analyze", str(study), "-o", str(out), "--format", "json"]) == 0
    told = capsys.readouterr().err
    assert f"L4-L5: water reference L4-L5/water.rda is not used: {says}" in told
    assert f"(L4-L5/water.rda is {study / name.replace(chr(92) * 2, chr(92))})" in told
    assert "gone" not in (out / "results.json").read_text(encoding="utf-8")
    assert run(["info", str(study)]) == 0
    assert f"is not used: {says}" in capsys.readouterr().out


def test_what_was_left_out_of_an_analysis_is_told(capsys, tmp_path):
    """Else who gave a wrong water reference would hear of it in the report alone."""
    assert run(["simulate", "-o", str(tmp_path), "--levels", "L4-L5", "--as", "rda"]) == 0
    study = tmp_path / "sub-01"
    file = study / "study.toml"
    text = file.read_text(encoding="utf-8")
    metabolite = re.search(r'metabolite = "(.*)"', text)[1]
    text = re.sub(r'water = ".*"', f'water = "{metabolite}"', text)
    file.write_text(re.sub(r'anatomy = ".*"', 'anatomy = "study.toml"', text), encoding="utf-8")
    capsys.readouterr()
    assert run(["analyze", str(study), "-o", str(tmp_path / "out"), "--format", "json"]) == 0
    told = capsys.readouterr().err
    assert "mrs-disc: L4-L5: water reference L4-L5/water.rda is not used" in told
    assert "mrs-disc: The anatomy image could not be used: anatomy.toml" in told
    assert f"anatomy.toml is {file}" in told


def test_files_of_a_folder_are_told_apart(capsys, tmp_path):
    """One file of a folder that is of another acquisition: the report numbers, stderr names."""
    from mrs_disc.io.write_nifti_mrs import write_nifti_mrs
    from mrs_disc.simulate import Scan, simulate_study

    (tmp_path / "series").mkdir()
    for number, points in enumerate((512, 512, 1024), start=1):
        scan = Scan(n_points=points, n_coils=1, n_transients=2, n_water=0)
        study, _ = simulate_study(7, levels=["L4-L5"], scan=scan, anatomy=False)
        disc = study["L4-L5"]
        write_nifti_mrs(tmp_path / f"series/IM_{number}.nii", disc.metabolite, disc.protocol)
    (tmp_path / "study.toml").write_text(
        'schema_version = 1\nstudy_id = "s"\n[[disc]]\nlevel = "L4-L5"\nmetabolite = "series"\n'
    )
    command = ["analyze", str(tmp_path), "-o", str(tmp_path / "out"), "--format", "json"]
    assert run(command) == 3
    said = capsys.readouterr().err
    record = (tmp_path / "out/results.json").read_text()
    assert set(re.findall(r"L4-L5/metabolite-\d", said)) == {
        "L4-L5/metabolite-1",
        "L4-L5/metabolite-3",
    }
    assert "IM_3.nii" in said
    assert "IM_3" not in record


def test_a_sound_study_leaves_the_terminal_alone(capsys, tmp_path):
    """How spins evolved stands in the report: it is no news for each run."""
    from mrs_disc.simulate import Scan, simulate_study
    from mrs_disc.simulate.dataset import write_study

    small = Scan(n_points=512, n_coils=1, n_transients=8, n_water=1)
    study, truth = simulate_study(7, levels=["L4-L5"], scan=small, anatomy=False, snr=30.0)
    write_study(tmp_path / "study", study, truth, form="nifti")
    command = ["analyze", str(tmp_path / "study"), "-o", str(tmp_path / "out"), "--format", "json"]
    assert run(command) == 0
    assert capsys.readouterr().err == ""
    record = json.loads((tmp_path / "out/results.json").read_text())
    kinds = {finding["kind"] for finding in record["levels"][0]["findings"]}
    assert "evolved_ideal" in kinds
    assert "pulses_not_told" not in kinds


@pytest.mark.parametrize("name", ["study", "sub-01"])
def test_results_are_not_written_among_the_inputs(capsys, tmp_path, name):
    study = tmp_path / name
    study.mkdir()
    file = study / "study.toml"
    file.write_text(
        'schema_version = 1\nstudy_id = "a"\n[[disc]]\nlevel = "L4-L5"\nmetabolite = "x.rda"\n'
    )
    for given in (study, file):
        assert run(["analyze", str(given), "-o", str(study), "--overwrite"]) == 2
        assert "own folder is never written to" in capsys.readouterr().err
    assert [p.name for p in study.iterdir()] == ["study.toml"]
    within = run(["analyze", str(study), "-o", str(study / "out"), "--format", "json"])
    assert within == (2 if name == "sub-01" else 3)  # 3: analysed, its one level failed


def test_results_without_their_signals_say_what_is_not_beside_them(capsys, tmp_path):
    from mrs_disc import analyze, simulate_study, write_report

    study, _ = simulate_study(seed=1, levels=["L4-L5"])
    write_report(analyze(study), tmp_path, formats=["json"])
    (tmp_path / "signals.npz").unlink()
    assert run(["report", str(tmp_path), "-o", str(tmp_path / "again")]) == 2
    assert "signals.npz: is not beside results.json" in capsys.readouterr().err


def test_a_bug_is_status_1_without_traceback(capsys, monkeypatch):
    import mrs_disc.recipe

    def broken(*_):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(mrs_disc.recipe, "load_recipe", broken)
    assert run(["recipe", "show"]) == 1
    assert "this is a bug (ZeroDivisionError: boom)" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        run(["recipe", "show", "--debug"])


def test_version_names_the_libraries(capsys):
    assert run(["--version"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("mrs-disc ")
    assert "numpy" in out


def test_the_package_runs_as_a_module():
    """Where scripts of an environment are not on the path: schedulers, notebooks."""
    command = [sys.executable, "-m", "mrs_disc", "recipe", "check", "no-such-file.toml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("mrs-disc: ")
    assert "no-such-file.toml" in done.stderr
