"""From a snapshot and a cursor to suggestions; knows no LSP, no sockets, no models."""
