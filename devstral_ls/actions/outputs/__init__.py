"""What the model's answer becomes: a module for each kind of output, and the table of them."""
