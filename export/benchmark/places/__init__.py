"""Places where files are measured: this machine, and others that it reaches.

`place` is the interface, and each other module is one place. `digest` compares the outputs of a
file at a place with those of LiteRT on this machine, before the file is timed there.
"""
