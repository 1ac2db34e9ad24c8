"""What bodies of every shape cost a gateway in memory, and how long it keeps others waiting meanwhile."""
