"""Which of two files is faster: timed alternately, or against a baseline."""
