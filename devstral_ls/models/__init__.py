"""What we know of model files: what they hold, how they are asked, where they come from, whether they fit."""
