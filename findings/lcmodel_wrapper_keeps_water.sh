#!/usr/bin/env bash
# lcmodel-wrapper 0.5.1: a spectrum fitted without water is scaled by the water and the tissue of
# the one before.
# Guess: model(x) without x_ref and frac is a fit without water scaling, whatever was fitted before
#   with the same model; both are arguments of one call.
# Found: once a call had them, dows=T and wconc stay in the model's control file for all that
#   follow. With a save_path the next spectrum is written beside the water file of the last one,
#   under the same number, and LCModel is told to use it: the second scan is scaled by the first
#   one's water, at the first one's water concentration. The order of the calls decides.
# Matters: of a series of discs, those whose water scan failed get amounts like the others, by the
#   water of the neighbour; with frac for the first only, all have the first one's tissue.
# Right: its own parameters' names and defaults (x_ref=None, frac=None); the control file of a model
#   that was used for the second spectrum alone.
# Versions: lcmodel-wrapper 0.5.1, numpy 2.4.6. A stand-in for the LCModel executable writes down
#   what it is told, and a result.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check lcmodel-wrapper==0.5.1 numpy==2.4.6
cd "$work"
cat > lcmodel <<'SHELL'
#!/bin/sh
cat > told
if [ "$(grep -c filraw told)" -gt 0 ]; then
  coord=$(sed -n "s/^filcoo='\(.*\)'/\1/p" told)
  printf ' 2 lines in following concentration table = NCONC+1\n' > "$coord"
  printf ' Conc. %%SD /PG Metabolite\n    1.000   3%%   1.000 PG\n' >> "$coord"
  cp told "$CALLS/$(ls "$CALLS" | wc -l)"
fi
SHELL
chmod +x lcmodel
mkdir calls
export CALLS="$work/calls" LCMODEL_CACHE_DIR="$work/cache"
env/bin/python -W ignore - <<'PYTHON'
import contextlib
import io
import os
import sys
from pathlib import Path

import numpy as np
from lcmodel_wrapper import PyLCModel

FID = np.exp(-np.arange(64) / 10 + 0j)
Path("a.basis").write_text(
    " $SEQPAR\n HZPPPM = 127.7,\n $END\n $BASIS1\n BADELT = 5e-4,\n NDATAB = 128\n $END\n"
    " $BASIS\n METABO = 'PG'\n $END\n"
)
tissue = [{"GM": 0.0, "WM": 0.2, "CSF": 0.5}]


def run(calls, folder):
    """Make calls on one model; return what LCModel was told in each."""
    before = len(os.listdir("calls"))
    with contextlib.redirect_stdout(io.StringIO()):
        model = PyLCModel(
            "a.basis", path2exec="lcmodel", save_path=folder, allow_download=False,
            allow_docker=False, allow_build=False, bandwidth=2000.0, central_freq=127.7,
        )
        for arguments in calls:
            model(FID, **arguments)
    found = []
    for number in range(before, before + len(calls)):
        lines = Path("calls", str(number)).read_text().splitlines()
        told = dict(line.split("=", 1) for line in lines if "=" in line)
        water = Path(told["filh2o"].strip("'"))
        told["water file"] = "is there" if water.exists() else "is not there"
        found.append({k: told.get(k) for k in ("dows", "wconc", "water file")})
    return found


alone = run([{}], "alone")[0]
first, second = run([{"x_ref": 1000 * FID, "frac": tissue}, {}], "both")
for name, told in (("first, with water", first), ("second, without", second), ("alone", alone)):
    print(f"{name:18}: {told}")
if alone["dows"] != "F" or alone["wconc"] is not None or first["dows"] != "T":
    sys.exit("The model no longer tells LCModel what one call asks.")
if second != first:
    sys.exit("lcmodel-wrapper has changed: the water of one call does not stay for the next.")
PYTHON
