"""Checks that accept or refuse a TFLite file."""
