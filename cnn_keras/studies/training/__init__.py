"""Studies of trainings that differ in one thing, compared seed by seed."""
