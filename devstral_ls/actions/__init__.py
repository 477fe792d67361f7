"""Code actions: from a range and the model's answer to a checked edit, findings, or text.

Nothing here does I/O, takes locks or logs: the engine, the workspace index, the project's files and the clock are
parameters.
"""
