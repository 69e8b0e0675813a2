"""TFLite files: parse, run, describe and isolate."""
