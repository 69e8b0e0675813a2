"""Studies of files, one claim a file; each is a command that writes a record and its figure."""
