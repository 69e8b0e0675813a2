"""Studies of speed in comparison with torch, which runs in a Python of its own."""
