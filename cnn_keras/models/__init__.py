"""The networks, one family in each file."""
