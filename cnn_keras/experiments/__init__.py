"""Trainings, estimates and records that studies share."""
