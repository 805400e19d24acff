"""Mutants of real files: each is read as a user would read it, under limits of time and memory.

By hand: ``python tests/fuzz/mutants.py --count 10000 [--format sdat ...] [--keep FOLDER]`` tries
so many mutants of each format and prints what was found as JSON; ``--keep`` saves the files that
broke a promise. The slow test tries a bounded number. Where there are real files (the folder
`MRS_DISC_REAL_DATA` names) they are mutated, beside simulated and built ones.

A mutant must end in a description, or in one `InputError`: no other error, no hang (ten seconds of
processor time, a minute of any), no more than one GiB of memory.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import importlib.util
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

HANG_S = 10
STUCK_S = 60
MEMORY = 2**30
_NUMBERS = (b"0", b"-1", b"1e308", b"nan", b"inf", b"99999999999", b"2147483648", b"0x7f", b"")
_WORDS = (b"=1+1", b"<b>", b"../../x", b"\xff\xfe", b"\0" * 8, b"'\"", b"%s%n", b"[" * 64)


class Hang(BaseException):
    """Raised by the alarm; not an Exception, so that nothing takes it for its own."""


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Return the content changed in one to four places, headers more often than samples."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        head = min(len(data), 8192 if rng.random() < 0.8 else len(data))
        at = rng.randrange(head) if head else 0
        kind = rng.randrange(10)
        if kind == 0:
            del data[rng.randrange(len(data) + 1) :]
        elif kind == 1:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            data[at : at + 4] = rng.choice(
                (b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"\xff\xff\xff\xff")
            )
        elif kind == 3:
            del data[at : at + rng.randint(1, 64)]
        elif kind == 4:
            data[at:at] = data[at : at + rng.randint(1, 256)]
        elif kind == 5:
            data[at:at] = rng.randbytes(rng.randint(1, 16))
        elif kind == 6:
            data[at:at] = rng.choice(_WORDS)
        elif kind == 7:
            _change_number(data, at, rng)
        elif kind == 8:
            data[at : at + 2] = rng.choice((b"\x7f\xff", b"\xff\x7f", b"\0\0", b"\x80\0"))
        else:
            _swap_lines(data, rng)
    return bytes(data)


def _change_number(data: bytearray, at: int, rng: random.Random) -> None:
    """Replace the first number in text at or behind a place."""
    start = next((k for k in range(at, min(at + 400, len(data))) if chr(data[k]).isdigit()), None)
    if start is not None:
        end = start
        while end < len(data) and chr(data[end]) in "0123456789.":
            end += 1
        data[start:end] = rng.choice(_NUMBERS)


def _swap_lines(data: bytearray, rng: random.Random) -> None:
    lines = bytes(data[:8192]).split(b"\n")
    if len(lines) > 2:
        a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
        data[: min(8192, len(data))] = b"\n".join(lines)


def spoilt(path: Path, rng: random.Random) -> bytes:
    """Return a mutant of a file; of a packed one, more often than not, of what is packed in it."""
    content = path.read_bytes()
    if path.suffix not in (".gz", ".npz") or rng.random() < 0.3:
        return mutate(content, rng)
    if path.suffix == ".gz":
        return gzip.compress(mutate(gzip.decompress(content), rng), compresslevel=1, mtime=0)
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w") as new:
        chosen = rng.choice(old.namelist())
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, mutate(part, rng) if name == chosen else part)
    return packed.getvalue()


# --------------------------------------------------------------------------- what is tried


def read_spectra(path: Path) -> None:
    """Describe and load a file as a study of one disc does, with the user's facts if need be."""
    from mrs_disc.errors import InputError
    from mrs_disc.io.acquire import Given
    from mrs_disc.io.studies.disc_files import DiscFiles

    echo = Given(echo_time_s=0.03)
    told = Given(echo_time_s=0.03, spectrometer_mhz=127.7, dwell_time_s=0.0005)
    for given in (Given(), echo, told):
        disc = DiscFiles(level="L4-L5", folder=path.parent, metabolite=(path.name,), given=given)
        disc.inputs()
        try:
            disc.load()
        except InputError:
            if given is told:
                raise
        else:
            return


def load_study(path: Path) -> None:
    """Load study.toml."""
    from mrs_disc.io import read_study

    read_study(path)


def load_recipe(path: Path) -> None:
    """Load a recipe."""
    from mrs_disc.recipe import load_recipe

    load_recipe(path)


def load_model(path: Path) -> None:
    """Load a metabolite model."""
    from mrs_disc.models import load_metabolite_model

    load_metabolite_model(str(path))


def load_score(path: Path) -> None:
    """Load a score model."""
    from mrs_disc.models.scores import load_score_model

    load_score_model(str(path))


def load_results(path: Path) -> None:
    """Load results.json."""
    from mrs_disc.record.file import read_results

    read_results(path)


def load_signals(path: Path) -> None:
    """Load signals.npz with a record that vouches for them."""
    from mrs_disc.record.signals import read_signals

    read_signals(path, hashlib.sha256(path.read_bytes()).hexdigest())


def collect_folder(path: Path) -> None:
    """Make the tables over one result."""
    from mrs_disc.batch.collect import collect_results

    collect_results(path.parent.parent)


Attempt = Callable[[Path], None]


def seeds(place: Path) -> dict[str, tuple[Attempt, list[Path]]]:
    """Return format to what is done with its files, and whole files to begin from."""
    from mrs_disc.analysis import analyze
    from mrs_disc.recipe import pipelines_folder
    from mrs_disc.report import write_report
    from mrs_disc.simulate import simulate_study
    from mrs_disc.simulate.dataset import write_study

    study, _ = simulate_study(5, levels=["L4-L5"], anatomy=False)
    table: dict[str, tuple[Attempt, list[Path]]] = {}
    for form, ending in (("nifti", "*.nii.gz"), ("sdat", "*"), ("rda", "*.rda"), ("dicom", "*/*")):
        folder = write_study(place / form, study, None, form=form)
        files = [p for p in sorted(folder.glob(ending)) if p.name != "study.toml"]
        press = [p for p in files if "press" in str(p) or "act" in p.name]
        table[form] = (read_spectra, [p for p in press if p.suffix != ".SPAR"])
    table |= real_files() | built_files(place / "built")
    write_report(analyze(study), place / "report" / "s", formats=("json",))
    record = place / "report" / "s"
    package = Path(sys.modules["mrs_disc"].__file__ or "").parent
    table["study.toml"] = (load_study, [place / "sdat" / "study.toml"])
    table["recipe"] = (load_recipe, sorted(pipelines_folder().glob("*.toml")))
    table["metabolite model"] = (load_model, [package / "models" / "disc_1h.toml"])
    table["score model"] = (load_score, sorted((package / "models").glob("acidity_*.toml")))
    table["results.json"] = (load_results, [record / "results.json"])
    table["signals.npz"] = (load_signals, [record / "signals.npz"])
    table["collect"] = (collect_folder, [record / "results.json"])
    return table


REAL = {
    "real NIfTI-MRS": ("nifti_mrs_tools/*.nii.gz", "svs_se_3*.nii", "metab.nii"),
    "real RDA": ("*.rda",),
    "real SDAT/SPAR": ("*.SDAT", "*.sdat"),
    "real DICOM": ("*.IMA", "*.dcm"),
    "real twix": ("*.dat",),
    "real GE P-file": ("*.7",),
    "real LCModel RAW": ("*.RAW", "*.raw", "*.H2O"),
    "real jMRUI text": ("jmrui/*.txt", "*_jmrui.txt"),
    "real text": ("metab.txt",),
    "real Bruker": ("fid", "rawdata.job0"),
}


def real_files(largest: int = 3_000_000) -> dict[str, tuple[Attempt, list[Path]]]:
    """Return small real files, at most eight of a format, where there are any."""
    folder = os.environ.get("MRS_DISC_REAL_DATA")
    found: dict[str, tuple[Attempt, list[Path]]] = {}
    if not folder:
        return found
    for name, patterns in REAL.items():
        paths = sorted({p for pattern in patterns for p in Path(folder).rglob(pattern)})
        small = [p for p in paths if p.is_file() and 0 < p.stat().st_size <= largest]
        if small:
            found[name] = (read_spectra, small[:: max(1, len(small) // 8)][:8])
    return found


def built_files(place: Path) -> dict[str, tuple[Attempt, list[Path]]]:
    """Return a file of every format that the tests of the readers build from a known signal."""
    from mrs_disc.data import Protocol, Scanner

    source = Path(__file__).parents[1] / "io" / "conftest.py"
    spec = importlib.util.spec_from_file_location("reader_files", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rng = np.random.default_rng(1)
    decay = np.exp((20j - 12.0) * module.DWELL * np.arange(512))
    noise = rng.normal(size=(2, 4, 512))
    rows = (1000 * decay + noise[0] + 1j * noise[1]).astype(np.complex64)
    protocol = Protocol(
        sequence="PRESS",
        echo_time_s=module.ECHO,
        repetition_time_s=module.REPETITION,
        voxel_affine=np.diag([-20.0, -25.0, 15.0, 1.0]),
        voxel_size_mm=(20.0, 25.0, 15.0),
        scanner=Scanner(manufacturer="Siemens"),
        field_strength_t=3.0,
    )
    found: dict[str, tuple[Attempt, list[Path]]] = {}
    for name, build in module.BUILDERS.items():
        folder = place / name.replace("/", "-")
        folder.mkdir(parents=True)
        path = build(folder, rows[:1], protocol)
        found[f"built {name}"] = (read_spectra, [path])
    return found


# --------------------------------------------------------------------------- running


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Raise `Hang` after ten seconds of work or a minute of anything."""

    def late(*_: object) -> None:
        raise Hang

    clocks = {
        signal.ITIMER_PROF: (signal.SIGPROF, HANG_S),
        signal.ITIMER_REAL: (signal.SIGALRM, STUCK_S),
    }
    before = {sent: signal.signal(sent, late) for sent, _ in clocks.values()}
    for clock, (_, seconds) in clocks.items():
        signal.setitimer(clock, seconds)
    try:
        yield
    finally:
        for clock in clocks:
            signal.setitimer(clock, 0)
        for sent, handler in before.items():
            signal.signal(sent, handler)


def attempt(work: Attempt, path: Path) -> str:
    """Return how a mutant ended: ``"read"``, ``"refused"``, or what broke the promise."""
    from mrs_disc.errors import InputError, OutputError

    try:
        with limits(), warnings.catch_warnings():
            warnings.simplefilter("error")
            work(path)
        return "read"
    except (InputError, OutputError) as error:
        return "refused" if "\n" not in str(error) else "a message of several lines"
    except Hang:
        return f"a hang of more than {HANG_S} s"
    except BaseException as error:
        place = ""
        trace = error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if "/mrs_disc/" in file:
                place = f"{file.rpartition('/mrs_disc/')[2]}:{trace.tb_lineno}"
            trace = trace.tb_next
        return f"{type(error).__name__} at {place}: {str(error)[:80]}"


def siblings(path: Path) -> list[Path]:
    """Return the files that belong to one: other parts of a pair, parameter files beside it."""
    if path.name in ("fid", "rawdata.job0"):
        return [p for p in (path.with_name("method"), path.with_name("acqp")) if p.is_file()]
    parts = {".sdat": (".spar",), ".data": (".list", ".spar")}.get(path.suffix.lower(), ())
    beside = sorted(path.parent.iterdir())
    return [p for p in beside if p.stem == path.stem and p.suffix.lower() in parts]


def one(work: Attempt, seed: Path, rng: random.Random, place: Path) -> tuple[str, Path]:
    """Make one mutant of a file and try it."""
    folder = place / "mutant" / "study"
    shutil.rmtree(place / "mutant", ignore_errors=True)
    folder.mkdir(parents=True)
    group = list(dict.fromkeys([seed, *siblings(seed)]))
    chosen = rng.choice(group)
    for path in group:
        content = spoilt(path, rng) if path == chosen else path.read_bytes()
        (folder / path.name).write_bytes(content)
    return attempt(work, folder / seed.name), folder


def fuzz(
    count: int, *, seed: int = 0, only: list[str] | None = None, keep: Path | None = None
) -> dict[str, Counter[str]]:
    """Try `count` mutants of each format; return how they ended."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    ends: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        place = Path(name)
        table = seeds(place)
        for form, (work, files) in table.items():
            if only and form not in only:
                continue
            rng = random.Random(f"{seed} {form}")
            ends[form] = Counter()
            begun = time.process_time()
            for number in range(count):
                end, folder = one(work, rng.choice(files), rng, place)
                known = end in ends[form]
                ends[form][end] += 1
                if keep and not known and end not in ("read", "refused"):
                    shutil.copytree(folder, keep / f"{form}-{number}".replace("/", "-"))
            ends[form]["seconds"] = round(time.process_time() - begun)
            print(form, dict(ends[form]), file=sys.stderr, flush=True)  # noqa: T201
    return ends


def broken(ends: dict[str, Counter[str]]) -> list[str]:
    """Return the promises that were broken."""
    fine = ("read", "refused", "seconds")
    return [f"{form}: {n} x {e}" for form, c in ends.items() for e, n in c.items() if e not in fine]


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", dest="only", action="append")
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    ends = fuzz(chosen.count, seed=chosen.seed, only=chosen.only, keep=chosen.keep)
    found = {"count": chosen.count, "seed": chosen.seed, "formats": ends, "broken": broken(ends)}
    print(json.dumps(found, indent=1))  # noqa: T201
    sys.exit(1 if broken(ends) else 0)


if __name__ == "__main__":
    main()
