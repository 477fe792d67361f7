"""Code actions: from a range and an answer of the model to an edit that was checked before anybody sees it."""
