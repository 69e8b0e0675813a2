"""Runs as trained networks of the package."""
