"""Taking over from the public cloud: calls are sent on to it, read here as well, compared, and switched gradually."""
