"""Sound in, log-mel patches out."""
