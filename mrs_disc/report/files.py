"""Files that appear whole or not at all, and never over another one unasked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mrs_disc.errors import InputError, OutputError
from mrs_disc.files import spare, write_together

OF_FORMAT: dict[str, tuple[str, ...]] = {
    "json": ("results.json", "signals.npz"),
    "html": ("report.html",),
    "pdf": ("report.pdf",),
    "png": ("figures/*.png",),
    "text": ("report.txt",),
    "csv": ("levels.csv", "levels.json"),
    "xlsx": ("levels.xlsx",),
    "nifti": ("nifti/*_preprocessed.nii.gz", "nifti/*_fit.nii.gz", "nifti/*_residual.nii.gz"),
    "dicom": ("dicom/report_pdf.dcm", "dicom/report_sr.dcm", "dicom/report_page1.dcm"),
    "fhir": ("report.fhir.json",),
    "citation": ("CITATION.md", "references.bib"),
}
"""What each format may leave in a folder."""


def links_of(formats: Iterable[str]) -> list[str]:
    """Return what a page leads to of these formats: files, and folders that end in ``/``.

    >>> links_of(["json", "png", "png"])
    ['results.json', 'signals.npz', 'figures/']
    """
    wanted = set(formats)
    patterns = [p for name, found in OF_FORMAT.items() if name in wanted for p in found]
    return list(dict.fromkeys(p.partition("/")[0] + "/" if "/" in p else p for p in patterns))


def links_in(folder: Path) -> list[str]:
    """Return what a page in or above a report's folder leads to, as far as it is there."""
    return [name for name in links_of(OF_FORMAT) if (folder / name).exists()]


def check_folder(out: Path, formats: Sequence[str], overwrite: bool) -> None:
    """Refuse a folder that is a file or read-only, or that holds what would be written.

    Raises
    ------
    InputError
        With the first file that is there already.
    """
    for part in (out, *out.parents):
        if part.exists() or part.is_symlink():
            if not part.is_dir():
                raise InputError(f"-o {out}: '{part.name}' is a file, a folder is expected")
            if not os.access(part, os.W_OK | os.X_OK):
                raise InputError(
                    f"-o {out}: '{part.absolute().name}' cannot be written to (read-only, or "
                    "another user's); choose another folder"
                )
            break
    if overwrite or not out.is_dir():
        return
    for name in formats:
        for pattern in OF_FORMAT[name]:
            if found := next(iter(sorted(out.glob(pattern))), None):
                raise InputError(
                    f"{out / found.relative_to(out)} is there already; "
                    "choose another folder, or give --overwrite"
                )


def write_files(
    out: Path,
    files: Mapping[str, bytes],
    *,
    overwrite: bool,
    inputs: Sequence[Path] = (),
    replaced: Sequence[str] = (),
) -> list[Path]:
    """Write all files of a report, which appear together.

    Parameters
    ----------
    out : Path
        The folder; it is made where it does not exist.
    files : mapping
        Relative path (with ``/``) to content.
    overwrite : bool
        Replace files that are there; files of an earlier report whose record is replaced go too,
        since they would tell of another analysis.
    inputs : sequence of Path
        What the files are made from, which is never written to.
    replaced : sequence of str
        Patterns of names of an earlier run's files, which go where `overwrite`.

    Raises
    ------
    OutputError
        If a file cannot be written, is there already, or is an input; then none of them stays.
    """
    targets = {out / PurePosixPath(name): content for name, content in files.items()}
    spare(inputs, targets)
    stale: list[Path] = []
    if not overwrite:
        for target in targets:
            if target.exists():
                raise OutputError(f"{target} is there already; give --overwrite to replace it")
    elif "results.json" in files and (out / "results.json").exists():
        stale = [path for path in of_a_report(out) if path not in targets]
    if overwrite and replaced and out.is_dir():
        earlier = {path for pattern in replaced for path in out.glob(pattern) if path.is_file()}
        stale += sorted(earlier.difference(targets, inputs))
    return write_together(out, targets, stale=stale)


_OURS = re.compile(r"(overview|levels|[CTL]\d{1,2}-[CTLS]\d{1,2}(_run-\d+)?)(_\w+)?\.(png|nii\.gz)")


def of_a_report(out: Path) -> Iterator[Path]:
    """Yield the files that a report has left in a folder."""
    for patterns in OF_FORMAT.values():
        for pattern in patterns:
            for path in out.glob(pattern):
                if path.is_file() and ("*" not in pattern or _OURS.fullmatch(path.name)):
                    yield path
