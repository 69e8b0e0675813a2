"""The scripts in this folder need torch or JAX and run in a separate environment."""

collect_ignore = [
    "differentiated.py",
    "plain_torch.py",
    "plain_torch_loop.py",
    "published.py",
    "rebuilt.py",
    "torch_loader.py",
]
