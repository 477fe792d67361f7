"""GGUF headers, with every count and length checked before use."""
