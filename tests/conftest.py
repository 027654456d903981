"""What all tests share: pytest's own tools for testing plugins, and a Ctrl-C that is heard."""

import signal

pytest_plugins = ["pytester"]

# What a shell starts in the background ignores SIGINT, and so would all that tests start and interrupt: they would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
