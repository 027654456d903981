"""Targets that are Kubernetes clusters. The only room that imports `kubernetes` or runs `kind` and `docker`."""
