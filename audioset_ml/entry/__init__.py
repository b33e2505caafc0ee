"""What the commands share: how a stage runs, what it opens, groups of flags, --help."""
