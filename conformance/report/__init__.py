"""Pure functions of a saved record."""
