"""Random sessions and hostile files: how they are made, played and held to what was promised."""
