"""What all tests share: pytest's own tools for testing plugins."""

pytest_plugins = ["pytester"]
