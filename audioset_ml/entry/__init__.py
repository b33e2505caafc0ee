"""What the commands share: how a stage runs, groups of flags, their checks and help."""
