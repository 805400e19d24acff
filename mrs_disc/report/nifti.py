"""NIfTI-MRS of the preprocessed FID, the fit and the residual, for other tools.

The fit and the residual are in the phase of the fitted data, so that data = fit + residual.
"""

from __future__ import annotations

from dataclasses import fields

from mrs_disc.data import Fid, Protocol, StepRecord
from mrs_disc.files import gzipped
from mrs_disc.io.write_nifti_mrs import nifti_mrs_bytes
from mrs_disc.record.level import Level
from mrs_disc.record.signals import LevelSignals
from mrs_disc.report.content import View
from mrs_disc.report.curves import has_signals
from mrs_disc.typing import ComplexArray


def render(view: View) -> dict[str, bytes]:
    """Return three files a measured level under ``nifti/``."""
    files: dict[str, bytes] = {}
    if view.signals is None:
        return files
    for level in view.results.levels:
        if has_signals(level, view.signals):
            recipe = view.results.recipe_sha256
            for name, fid in _fids(level, view.signals.levels[level.key], recipe).items():
                content = nifti_mrs_bytes(fid, protocol_of(level, view.signals.levels[level.key]))
                files[f"nifti/{level.key}_{name}.nii.gz"] = gzipped(content)
    return files


def _fids(level: Level, signals: LevelSignals, recipe: str) -> dict[str, Fid]:
    assert level.fit is not None
    options = {"recipe_sha256": recipe}
    fitted = StepRecord(step="fit", method=level.fit.model, options=options)
    residual = StepRecord(step="subtract the fit", method=level.fit.model, options=options)

    def fid(signal: ComplexArray, *steps: StepRecord) -> Fid:
        return Fid(signal=signal, sampling=signals.sampling, history=(*level.history, *steps))

    return {
        "preprocessed": fid(signals.data),
        "fit": fid(signals.fit, fitted),
        "residual": fid(signals.data - signals.fit, residual),
    }


def protocol_of(level: Level, signals: LevelSignals) -> Protocol:
    """Return the protocol of a level as a record again, with the voxel's place."""
    assert level.protocol is not None
    kept = {f.name: getattr(level.protocol, f.name) for f in fields(level.protocol)}
    return Protocol(**kept, voxel_affine=signals.voxel_affine)
