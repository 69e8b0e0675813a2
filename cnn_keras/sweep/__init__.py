"""Search for the training recipe with the best validation accuracy."""
