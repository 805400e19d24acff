"""The record of an analysis: what ``results.json`` holds, as frozen plain data without arrays."""
