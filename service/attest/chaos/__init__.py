"""A short chaos run on the customer's machine: a temporary second service under traffic, whose processes are killed."""
