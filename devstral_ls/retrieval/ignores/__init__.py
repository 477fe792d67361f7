"""Ignore files as git reads them: their patterns, the repository around a file, and its configuration."""
