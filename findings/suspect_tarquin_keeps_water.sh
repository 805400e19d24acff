#!/usr/bin/env bash
# suspect 0.6.2: a fit with TARQUIN without a water reference is scaled by the water of the last
# one.
# Guess: fitting.tarquin.process(data) has no water reference ("optional"), whatever was fitted
#   before; options given to one call hold for that call.
# Found: the name of the water file is entered into the dictionary that is the default of options,
#   and stays there, as aq_factor does. The next call passes the first scan's water to TARQUIN as
#   its own, and its scaling. A dictionary that the caller passes is changed as well, and carries
#   the water over the same way.
# Matters: of five discs, those whose water scan is missing come out in mM like the others, scaled
#   by another disc's water: a value in place of a gap.
# Right: its own docstring ("optional water reference file for concentration scaling", per call);
#   TARQUIN's manual: input_w is the water reference of the input.
# Versions: suspect 0.6.2 with numpy 2.4.6, scipy 1.17.1. A stand-in for the TARQUIN executable
#   writes down its arguments and a result.
set -euo pipefail
work=$(mktemp -d)
fixed=(/tmp/temp.dpt /tmp/wref.dpt /tmp/output.txt /tmp/fit.txt) # names that suspect writes to
for name in "${fixed[@]}"; do
  [ ! -e "$name" ] || { echo "$name is there already; it would be overwritten." && exit 1; }
done
trap 'rm -rf "$work" "${fixed[@]}"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 numpy==2.4.6 scipy==1.17.1
cd "$work"
cat > env/bin/tarquin <<'SHELL'
#!/bin/sh
echo "$@" >> "$CALLS"
printf 'Signal\n-----\nNAA 1 2 3\n\nFit\n---\nQ : 1\n' > /tmp/output.txt
printf 'Row : 1, Col : 1, Slice : 1\nppm,data,fit,base,NAA\n4.0,1,1,0,1\n' > /tmp/fit.txt
SHELL
chmod +x env/bin/tarquin
export CALLS="$work/calls" PATH="$work/env/bin:$PATH"
env/bin/python -W ignore - <<'PYTHON'
import os, sys
from pathlib import Path

import numpy as np
import suspect
from suspect.fitting import tarquin


def fid(amplitude):
    return suspect.MRSData(amplitude * np.exp(-20 * np.arange(256) * 5e-4) + 0j, 5e-4, 127.7)


own = {"ref_signals": "1h_naa"}
tarquin.process(fid(1.0))
tarquin.process(fid(1.0), wref=fid(1000.0), aq_factor=0.7)
tarquin.process(fid(2.0))
tarquin.process(fid(3.0), wref=fid(500.0), options=own)
calls = Path(os.environ["CALLS"]).read_text().splitlines()
for number, (call, given) in enumerate(zip(calls, (False, True, False, True), strict=True), 1):
    print(f"call {number}, water given: {given!s:5} options:", *call.split()[8:])
if ["--input_w" in call for call in calls] != [False, True, True, True] or "input_w" not in own:
    sys.exit("suspect has changed: the water reference holds for its own call only.")
if "--w_att 0.7" not in calls[2]:
    sys.exit("suspect has changed: aq_factor holds for its own call only.")
print("Call 3 had no water reference.")
PYTHON
