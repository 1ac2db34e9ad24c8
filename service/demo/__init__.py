"""Example data of the demo and of the screenshots in the documentation: two customers, their users, orders and 90 days
of traffic, written through the tables of the product."""

from inkgate.service.demo.seed import Demo, seed

__all__ = ["Demo", "seed"]
