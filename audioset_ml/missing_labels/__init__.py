"""ML20: scores of the train set, per-class thresholds, label sets."""
