"""Import of published weights and external Keras models as run folders."""
