"""From what the model wrote to what is worth showing: steps on a ``Draft``, and the last cut by the syntax tree."""
