"""Hostile files: for each kind a generator, and a reader that calls the code under test."""
