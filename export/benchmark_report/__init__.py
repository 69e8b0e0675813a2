"""Report of many measurements: accuracy against latency, size and memory, and history."""
