"""Latency of a file's operations, without native tools.

`operators` cuts a file into files of one operation each, and `operator_runner` times them in turn
with the whole file; it needs only ai-edge-litert and numpy. `roofline` relates their times to what
the machine can do, and `results` groups and prints them.
"""
