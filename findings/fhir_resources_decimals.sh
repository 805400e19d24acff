#!/usr/bin/env bash
# fhir.resources 8.3.0: the digits of a value are lost on the way through.
# Guess: a Quantity of 0.50 mmol/L is written as 0.50, since the model holds a Decimal and FHIR
#   gives its digits a meaning; reading and writing a document changes no value in it.
# Found: 0.50 is written 0.5 and 12.00 is written 12.0, built or read; the Decimal of the built one
#   still holds 0.50. A value of 18 digits loses the last one, so it is another number.
# Matters: the digits say how well an amount of a disc is known. A program that passes a report on
#   changes what it states, and the digest or signature over it no longer fits.
# Right: FHIR R4 to R5, data type decimal ("rational number with implicit precision", not an IEEE
#   floating point type; 0.010 differs from 0.01) and the JSON page, section on decimals.
# Versions: fhir.resources 8.3.0 with fhir_core 1.1.12, pydantic 2.14.4.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  fhir.resources==8.3.0 fhir-core==1.1.12 pydantic==2.14.4
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

from fhir.resources.quantity import Quantity

found = {}
for text in ("0.50", "0.010", "12.00", "123456789012345.678"):
    built = Quantity(value=text)
    parsed = Quantity.model_validate_json('{"value":%s}' % text)
    found[text] = [str(built.value), built.model_dump_json(), parsed.model_dump_json()]
    print(f"{text:20} Decimal {found[text][0]}, built {found[text][1]}, parsed {found[text][2]}")
kept = {text: row for text, row in found.items() if f'{{"value":{text}}}' in row[1:]}
if kept:
    sys.exit(f"fhir.resources has changed: digits are kept for {list(kept)}.")
PYTHON
