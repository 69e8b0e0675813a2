"""The scripts beside the tests need torch and JAX, and run in an environment of their own."""

collect_ignore = ["differentiated.py", "published.py", "rebuilt.py"]
