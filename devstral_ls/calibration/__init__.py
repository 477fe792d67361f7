"""How good and how fast a model is on this machine, measured through the Engine protocol and kept on disk."""
