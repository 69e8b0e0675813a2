"""Published weights and any Keras model as a run folder."""
