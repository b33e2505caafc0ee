"""The flags of `train`, in the groups of its --help."""
