"""Frozen data of the domain: world, policy, case, flow, decision, verdict and record."""
