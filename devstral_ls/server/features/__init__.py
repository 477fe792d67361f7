"""The handlers, a file for each LSP request or group of notifications: decode, ask, encode."""
