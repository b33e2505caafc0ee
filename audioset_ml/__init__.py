"""Sound-event classifiers trained and evaluated on incompletely labelled data."""

__version__ = '0.1.0'
