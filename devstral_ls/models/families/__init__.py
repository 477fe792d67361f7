"""Model families: how each kind of model is prompted."""
