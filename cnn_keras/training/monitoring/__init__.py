"""What a training shows: progress, throughput and logs for TensorBoard."""
