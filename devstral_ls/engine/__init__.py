"""The engine process, and how to reach one: it runs requests for text and does not know why."""
