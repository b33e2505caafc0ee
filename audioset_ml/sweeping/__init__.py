"""Sweeps: many runs of the stages, over a grid of their flags."""
