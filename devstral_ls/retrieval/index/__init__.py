"""The index of a workspace's definitions: a process of its own, and its client."""
