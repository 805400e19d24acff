#!/usr/bin/env bash
# highdicom 0.28.2 writes the uncertainty of a measurement in "no units", dcmqi 1.5.7 hands that on.
# Guess: a measurement of 8 mm with an upper uncertainty of 0.5 is 0.5 mm: the caller gave the unit.
# Found: the two uncertainties are numeric items of their own with the unit (1, UCUM, "no units");
#   no argument sets another. dcmqi's tid1500reader, as any reader, returns 0.5 "no units".
# Matters: the interval of a disc's value is read as a ratio (0.5 = half of it) or as the value's
#   own unit, and both are plausible for amplitudes and scores.
# Right: DICOM PS3.3 C.18.1: Measurement Units Code Sequence is the unit of the numeric value in the
#   same item; nothing is inherited from the parent.
# Versions: highdicom 0.28.2, dcmqi 1.5.7 (wheel), pydicom 3.0.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  highdicom==0.28.2 dcmqi==1.5.7 pydicom==3.0.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import json, subprocess, sys
from pathlib import Path

import highdicom as hd
from highdicom.sr import (
    CodedConcept, Comprehensive3DSR, Measurement, MeasurementProperties, MeasurementReport,
    MeasurementsAndQualitativeEvaluations, ObservationContext, ObserverContext,
    PersonObserverIdentifyingAttributes, TrackingIdentifier,
)
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes

image = dcmread(get_testdata_file("MR_small.dcm"))  # shipped inside pydicom
height = Measurement(
    name=codes.SCT.Length, value=8.0, unit=codes.UCUM.Millimeter,
    properties=MeasurementProperties(
        upper_measurement_uncertainty=0.5, lower_measurement_uncertainty=0.25
    ),
)
group = MeasurementsAndQualitativeEvaluations(
    tracking_identifier=TrackingIdentifier(uid=hd.UID(), identifier="L4-L5"),
    finding_type=CodedConcept("360499006", "SCT", "Intervertebral disc"),
    measurements=[height],
)
person = ObserverContext(codes.DCM.Person, PersonObserverIdentifyingAttributes("Reader^One"))
report = MeasurementReport(
    ObservationContext(observer_person_context=person),
    codes.LN.CTUnspecifiedBodyRegion, [group],
)
Comprehensive3DSR(
    evidence=[image], content=report, series_instance_uid=hd.UID(), series_number=1,
    sop_instance_uid=hd.UID(), instance_number=1, manufacturer="x",
).save_as("report.dcm")
subprocess.run(
    ["env/bin/tid1500reader", "--inputDICOM", "report.dcm", "--outputMetadata", "report.json"],
    check=True, capture_output=True,
)
read = json.loads(Path("report.json").read_text())["Measurements"][0]["measurementItems"][0]
print("measurement:", read["value"], read["units"]["CodeMeaning"])
units = []
for part in read["measurementNumProperties"]:
    units.append(part["numPropertyUnits"]["CodeMeaning"])
    print(f"  {part['numProperty']['CodeMeaning']}: {part['numPropertyValue']} {units[-1]}")
if units != ["no units"] * 2:
    sys.exit("highdicom or dcmqi has changed: the uncertainties have another unit than 'no units'.")
print("A length in mm whose uncertainty is not a length.")
PYTHON
