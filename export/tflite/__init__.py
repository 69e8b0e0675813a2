"""TFLite files: parse, run, describe, and read in a subprocess."""
