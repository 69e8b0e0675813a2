"""One claim of the lecture a file; each is a command that writes a record and its figure."""
