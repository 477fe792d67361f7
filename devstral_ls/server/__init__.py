"""The language server process: the only place that knows LSP. It holds no model; the engine does."""
