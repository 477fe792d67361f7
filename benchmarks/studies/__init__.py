"""One-off studies: each answered one question. Kept so that it can be asked again; not part of ``make bench``."""
