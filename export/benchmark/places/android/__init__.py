"""Android phones that `adb` reaches.

`client` runs `adb`, and `facts` describes the phone. A file runs in our app (`app`) or in LiteRT's
`benchmark_model` (`benchmark_model`).
"""
