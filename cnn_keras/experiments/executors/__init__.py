"""Where many trainings run: here in order, in processes, on a cluster."""
