"""One kit for tests and benchmarks: scripted engine and server, LSP client, model files, fuzzing. Not in the wheel."""
