"""One family of networks a file; each imports only `blocks`."""
