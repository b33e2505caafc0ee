"""Masked loss, optimisation, the training loop."""
