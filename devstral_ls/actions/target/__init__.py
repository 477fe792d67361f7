"""The code an action works on: where it is, its pieces and surroundings, and the instruction written above it."""
