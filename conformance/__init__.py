"""A conformance test suite for Kubernetes NetworkPolicy v1."""

__version__ = "0.1.0"
