"""Compare what was declared, computed and seen, and explain the difference."""
