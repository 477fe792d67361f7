"""Code actions in the editor: what is running, and how its edits, findings and texts get there."""
