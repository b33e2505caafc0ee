"""The papers' figures and tables, from the results of sweeps."""
