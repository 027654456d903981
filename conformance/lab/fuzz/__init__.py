"""Random policies on a target: what it does with them, against what the evaluator says, and the smallest that shows where the two differ."""
