"""Tensors, names and times: runs a model and returns everything it computed. Knows no Qt."""
