"""Syntax trees: parsing, byte offsets, traversal, errors. A byte offset never leaves ``languages``."""
