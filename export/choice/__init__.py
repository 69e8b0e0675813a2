"""The best file within limits of latency, size and accuracy.

`search` tries recipes and mixes of types by layer: `sensitivity` and a profile of the operations
say what each type costs in each layer, `additive_model` adds this up and finds the mix to try next,
`trials` makes, checks and times it, and `rule` says which file is the best.
"""
