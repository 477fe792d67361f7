"""Hostile files: for each kind how one is made, by chance, and how it is read by the code that would read it."""
