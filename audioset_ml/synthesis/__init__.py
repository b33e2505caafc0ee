"""Soundscapes: clips of parametric or recorded events whose labels are known."""
