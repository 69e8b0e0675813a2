"""Loading of Keras model files: Keras 2 and 3, SavedModels, other precisions, weights by layer."""
