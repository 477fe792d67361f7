"""Small source files for ``devstral-ls demo``; the cursor is marked ▮."""
