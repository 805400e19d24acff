#!/usr/bin/env bash
# suspect 0.6.2: resampling an image "linearly" takes the corner of a pixel instead, and moves the
# picture by half a pixel.
# Guess: ImageBase.resample(..., method="linear") interpolates: of an image whose value is its own
#   position in mm, each new pixel holds its position.
# Found: the coordinates are cut to whole numbers before they reach the interpolation, so no pixel
#   is ever interpolated, "linear" and "nearest" give the same picture, and it is not the nearest
#   either: always the one before. Resampled to half its pixel size the picture is a staircase that
#   lies half an (old) pixel too far towards the end of each axis; a thick image slice moves by half
#   its thickness.
# Matters: a voxel is drawn on, or its tissue counted in, an image resampled to the voxel's planes.
#   Sagittal slices of a spine are 4 mm thick: picture and voxel part by 2 mm across the slices, and
#   by half a pixel in their plane, where a disc is 8 mm high.
# Right: linear interpolation (scipy.ndimage.map_coordinates, order 1) at the coordinates that its
#   own from_scanner() gives for the pixels; the docstring: "the interpolation method to use".
# Versions: suspect 0.6.2 with numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import suspect
from scipy.ndimage import map_coordinates
from suspect.base import ImageBase

SLICES, ROWS, COLUMNS = 12, 40, 40
spacing = (1.0, 1.0, 4.0)  # mm: sagittal slices of a spine
first = (-20.0, -20.0, -22.0)
place = suspect.transformation_matrix([1, 0, 0], [0, 1, 0], first, spacing)
ramp = first[2] + spacing[2] * np.arange(SLICES)
image = ImageBase(np.broadcast_to(ramp[:, None, None], (SLICES, ROWS, COLUMNS)) + 0.0, place)

made = {}
for method in ("linear", "nearest"):
    made[method] = image.resample(
        [1, 0, 0], [0, 1, 0], (32, 3, 3), centre=(0, 0, 0), voxel_size=(1, 1, 1), method=method
    )
grid = np.indices(made["linear"].shape)[::-1].reshape(3, -1).T  # x, y, z of each new pixel
scanner = made["linear"].to_scanner(grid)
inside = image.from_scanner(scanner)
true = map_coordinates(np.asarray(image), inside[:, ::-1].T, order=1)
values = np.asarray(made["linear"]).ravel()

column = np.asarray(made["linear"])[:9, 1, 1]
print("positions of nine new pixels, mm:", scanner.reshape(32, 3, 3, 3)[:9, 1, 1, 2])
print('their values, method="linear":  ', column)
error = values - true
print(f"error: mean {error.mean():.2f} mm, from {error.min():.2f} to {error.max():.2f}")
unlike = np.sum(values != np.asarray(made["nearest"]).ravel())
print("linear and nearest differ at", unlike, "pixels")
if np.abs(true - scanner[:, 2]).max() > 1e-9:
    sys.exit("The second route does not give the positions: this comparison has lost its ground.")
if unlike or not (set(values) <= set(ramp) and error.max() <= 0 and -2.1 < error.mean() < -1.9):
    sys.exit("suspect has changed: resample() interpolates, or takes the nearest pixel.")
print("Each new pixel holds the slice before it.")
PYTHON
