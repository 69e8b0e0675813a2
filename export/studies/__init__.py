"""Studies of files: each is a command that writes a record and its figure."""
