"""What studies share: series of trainings, cached results, estimates over seeds, records."""
