"""What everything stands on (paths, errors, files); it imports nothing above it."""
