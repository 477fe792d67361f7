"""What the other files of a workspace say: what may be read of them, their definitions, secrets taken out."""
