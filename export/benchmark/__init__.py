"""Latency and memory of `.tflite` files, each measured in a fresh process.

`runner` is that process and needs only ai-edge-litert and numpy; `process` starts it. `compare`
times two files alternately, and `intervals` computes their ratio. `inputs` finds the images of a
file's run, and `results` records the rows. `engine_process` times other inference engines.
"""
