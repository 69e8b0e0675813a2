"""What a training shows: the progress bar, and the logs that it reads."""
