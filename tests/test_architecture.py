"""What the design promises of the whole: light imports, a pure core, no name that hides another."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

import mrs_disc

PACKAGE = Path(mrs_disc.__file__).parent
CORE = ("signal", "data", "models", "recipe.py", "steps", "scoring", "analysis")
FORBIDDEN = {"logging", "time", "datetime", "random", "matplotlib", "secrets", "uuid"}


def core_files() -> list[Path]:
    files: list[Path] = []
    for name in CORE:
        path = PACKAGE / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return files


def imported(path: Path) -> set[str]:
    """Return the top-level modules that a file imports anywhere but to name types."""
    names: set[str] = set()
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", core_files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_core_neither_logs_nor_plots_nor_reads_the_clock(path):
    assert not imported(path) & FORBIDDEN


def test_the_core_draws_no_unseeded_random_numbers():
    for path in core_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng"):
                assert node.args or node.keywords, f"{path.name}:{node.lineno} has no seed"


def test_workers_of_a_pool_find_the_package_that_is_tested():
    """They look where their parent looks; a checkout put first may be without its kernel."""
    found = PathFinder.find_spec("mrs_disc", sys.path)
    assert found is not None
    assert found.origin == mrs_disc.__file__


def test_signal_knows_arrays_only():
    for path in sorted((PACKAGE / "signal").glob("*.py")):
        inside = {
            node.module
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mrs_disc")
        }
        allowed = ("mrs_disc.signal", "mrs_disc.errors", "mrs_disc.typing", "mrs_disc.constants")
        assert all(module.startswith(allowed) for module in inside), path.name


def test_no_module_bears_the_name_of_a_public_function():
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & set(mrs_disc.__all__)


def test_importing_the_package_costs_less_than_three_hundredths_of_numpy_and_scipy():
    """Counted in modules, which does not swing with the machine's load as seconds do."""

    def modules(code: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", f"{code}; import sys; print(len(sys.modules))"],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    base = modules("pass")
    bare = modules("import numpy, scipy") - base
    assert modules("import mrs_disc") - base < 0.03 * bare


def test_an_analysis_loads_no_part_of_a_library_that_it_does_not_use():
    """Each costs every command and every worker of a batch; NumPy's stay what they are."""
    program = (
        "import sys, mrs_disc.batch.work, mrs_disc as md\n"
        "md.analyze, md.read_study, md.write_report\n"
        "unused = {'numpy.f2py.rules', 'unittest', 'scipy.optimize', 'matplotlib'}\n"
        "assert not unused & set(sys.modules), unused & set(sys.modules)\n"
        "import numpy.f2py.symbolic, numpy\n"
        "from numpy.testing import assert_allclose\n"
        "assert_allclose(1.0, 1.0)\n"
        "assert callable(numpy.f2py.run_main) and 'numpy.f2py.rules' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_public_functions_say_what_they_take_and_return():
    for name in mrs_disc.__all__:
        if name != "__version__":
            public = getattr(mrs_disc, name)
            text = public.__doc__ or ""
            assert "Parameters" in text, name
            assert "Returns" in text or isinstance(public, type), name
