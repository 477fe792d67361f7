"""GGUF headers: what a model file says about itself, each count checked before it is believed."""
