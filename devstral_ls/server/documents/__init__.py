"""The open documents: their text as snapshots, synchronization, and LSP positions."""
