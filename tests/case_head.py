"""What every case file begins with, for tests that are about the rest of it."""

HEAD = """\
apiVersion: netpol-conformance/v1
kind: Case
id: K7QD
requirement: A pod MUST NOT accept what no policy allows.
spec: https://kubernetes.io/docs/concepts/services-networking/network-policies/
tier: core
features: [ingress]
"""
