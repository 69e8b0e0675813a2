"""Training with `model.fit`, the run folder that it writes, and evaluation."""
