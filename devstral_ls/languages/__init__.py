"""Programming languages: a table of rows, grammars, syntax trees, and the scopes around a cursor."""
