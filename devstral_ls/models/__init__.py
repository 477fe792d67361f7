"""Model files: their contents, their prompt formats, their sources, and the memory they need."""
