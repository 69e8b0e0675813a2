"""Latency and memory of `.tflite` files, each measured in a fresh process.

`runner` is that process and needs only ai-edge-litert and numpy; `runner_process` starts it.
`inputs` finds the images of a file's run, and `results` records the rows. `engine_process` times
other inference engines. Files are measured at `places`, against each other in `comparison`, and
operation by operation in `profile`.
"""
