"""The evaluator: what the specification says of a flow, computed."""
