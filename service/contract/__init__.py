"""The wire contract of the capabilities: data and pure functions, no I/O beyond reading what is installed."""
