"""Pages that work from a file: everything that they need is inside them, and nothing is loaded."""
