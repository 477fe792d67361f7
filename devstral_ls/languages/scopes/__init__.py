"""The definitions around a cursor, from the syntax tree or from indentation."""
