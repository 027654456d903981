"""How good the cases are: all of them against all miniatures that have a defect."""
