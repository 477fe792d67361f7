"""Fuzzing: random sessions and hostile files, and the checks of what the server promises for them."""
