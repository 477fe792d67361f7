"""Statistics of suggestions on this machine, in counts and times; they never leave the machine."""
