"""One training on many devices and hosts, with the JAX backend."""
