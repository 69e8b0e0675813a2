"""Latency and memory of `.tflite` files, each measured in a fresh process.

`runner` is that process and needs only ai-edge-litert and numpy; `process` starts it; `compare`
lets two of them take turns; `results` prints and records the rows;
`agreement` checks the numbers against LiteRT's own tool.
"""
