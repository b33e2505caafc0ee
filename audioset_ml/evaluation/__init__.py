"""Metrics, and the evaluation of a model on labelled clips."""
