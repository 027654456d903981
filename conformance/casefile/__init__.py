"""YAML to Case and back, with `file:line:column` for everything that is wrong."""
