"""What runs a model, one sub-package or module for each: the rows differ by their columns, never by an ``if``."""
