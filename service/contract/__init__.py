"""The wire contract of the four capabilities: data and pure functions, no I/O."""
