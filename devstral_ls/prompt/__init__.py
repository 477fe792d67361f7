"""Builds prompts from text: what the model is shown, in which order, between which control tokens."""
