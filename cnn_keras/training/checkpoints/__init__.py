"""What a training saves to resume exactly: its state after each epoch, and the dropout seeds."""
