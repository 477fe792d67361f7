"""What became of suggestions on this machine, in counts and times; nothing of it ever leaves the machine."""
