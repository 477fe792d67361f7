"""The engine daemon: one process per model and user, with the model and the only queue in front of it."""
