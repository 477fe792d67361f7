"""The settings: their tree, their values, the pages made from it, and the sources they are read from."""
