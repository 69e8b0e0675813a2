"""What `model.fit` optimizes and how: loss, optimizer and learning-rate schedule of a recipe."""
