"""Figures of what the other folders read and measure."""
