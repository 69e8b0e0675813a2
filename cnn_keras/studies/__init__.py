"""Studies of networks: each is a command that writes a record and its figure."""
