"""Comparison of runs: their results, curves and settings that differ."""
