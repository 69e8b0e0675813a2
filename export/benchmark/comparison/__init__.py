"""Which of several files is faster: timed alternately, or against a baseline."""
