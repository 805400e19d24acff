"""Transients: frequency and phase of each, what does not belong, and their average."""
