"""The fit of components over a baseline: start, solver, average over baselines, amounts."""
