"""Context from outside the window: which files may be read, their definitions, recent places, and secrets redacted."""
