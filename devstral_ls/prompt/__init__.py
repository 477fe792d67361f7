"""From text to a prompt: what is shown to the model, in which order, between which control tokens."""
