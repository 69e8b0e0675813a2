"""How often the verdicts of `benchmark` about two files are right."""
