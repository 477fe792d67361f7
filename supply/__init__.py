"""What looks after the dependencies; no part of the package."""
