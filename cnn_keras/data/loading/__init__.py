"""Read images from files while they are needed: in parallel, in order, never all in memory."""
