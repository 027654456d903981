"""Mistakes of plugins, by what they are about; each module has `DEFECTS`."""
