"""Quality and speed of a model on this machine, measured through the Engine protocol and stored on disk."""
