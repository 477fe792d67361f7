"""Fetching models: the hub, wheels, checks."""
