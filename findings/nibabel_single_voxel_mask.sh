#!/usr/bin/env bash
# nibabel 5.4.2: on the grid of an anatomical image a spectroscopy voxel is empty, or 1 mm3.
# Guess: resample_from_to(voxel, image, order=0) of a 1 x 1 x 1 image of ones is the mask of the
#   voxel: ones wherever the centre of an image voxel lies in it. resample_to_output(voxel, 1) is a
#   block of ones, one a mm3.
# Found: interpolation ends at the centres of the outermost voxels, and a single voxel has but one:
#   the mask has no voxel, or one where the two centres coincide. resample_to_output gives one voxel
#   of 1 mm for a voxel of 30 x 20 x 8 mm. mode="nearest" fills the whole image. Nothing warns.
# Matters: NIfTI-MRS keeps the place of a disc voxel in just this form; its mask decides how much
#   disc, bone and muscle were measured. Any mask of larger voxels loses half a voxel a side.
# Right: the docstring of vox2out_vox, which makes the output grid (it "encloses all the voxel
#   data"); NIfTI-1: the affine gives voxel centres, a voxel reaches half its pixdim to each side.
#   So SimpleITK 2.5.5 does it: 4800 mm3.
# Versions: nibabel 5.4.2 with scipy 1.17.1, numpy 2.4.6; SimpleITK 2.5.5.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nibabel==5.4.2 scipy==1.17.1 numpy==2.4.6 SimpleITK==2.5.5
cd "$work"
env/bin/python - <<'PYTHON'
import sys

import nibabel, numpy as np, SimpleITK
from nibabel.processing import resample_from_to, resample_to_output

SIDES = np.array([30.0, 20.0, 8.0])


def voxel(centre):
    affine = np.diag([*SIDES, 1.0])
    affine[:3, 3] = centre
    return nibabel.Nifti1Image(np.ones((1, 1, 1), np.uint8), affine)


def mask(centre, **options):
    """Return the volume in mm3 of the voxel on a grid of 1 mm around it."""
    return int(np.asarray(resample_from_to(voxel(centre), image, **options).dataobj).sum())


grid = np.eye(4)
grid[:3, 3] = -31.5
image = nibabel.Nifti1Image(np.zeros((64, 64, 64), np.uint8), grid)
nibabel.save(voxel([0, 0, 0]), "voxel.nii")
nibabel.save(image, "image.nii")
read = [SimpleITK.ReadImage(name) for name in ("voxel.nii", "image.nii")]
other = SimpleITK.Resample(*read, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor)

found = {
    "between centres": mask([0, 0, 0], order=0),
    "on a centre": mask([0.5, 0.5, 0.5], order=0),
    "mode nearest": mask([0, 0, 0], order=0, mode="nearest"),
    "to_output": resample_to_output(voxel([0, 0, 0]), 1.0, order=0).shape,
    "SimpleITK": int(SimpleITK.GetArrayFromImage(other).sum()),
}
print(f"voxel of {SIDES.prod():g} mm3 on a grid of 1 mm:", found)
if list(found.values())[:4] != [0, 1, 64**3, (1, 1, 1)]:
    sys.exit("nibabel has changed: a single voxel is no longer resampled to nothing.")
if found["SimpleITK"] != SIDES.prod():
    sys.exit("SimpleITK has changed: the mask is no longer 4800 mm3.")
PYTHON
