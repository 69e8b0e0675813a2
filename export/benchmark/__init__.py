"""Latency and memory of `.tflite` files, each measured in a fresh process.

`runner` is that process and needs only ai-edge-litert and numpy; `process` starts it; `compare`
alternates two of them; `results` prints and records the rows. `engine_process` times other
inference engines.
"""
