"""Trained networks that the package contains, by the name NETWORK:DATA."""
