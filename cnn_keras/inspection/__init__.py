"""Analysis of networks: rows and costs, modules, gradients."""
