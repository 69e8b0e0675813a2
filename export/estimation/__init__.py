"""Latency of networks that were never run at a place, from profiles of others there.

`operation_model` estimates the latency of an operation from those of similar operations, and
`estimate` adds up the operations of a network.
"""
