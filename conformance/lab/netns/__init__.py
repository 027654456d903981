"""The embedded lab: pods are network namespaces, nodes are routers, and the kernel's nftables enforces the policies."""
