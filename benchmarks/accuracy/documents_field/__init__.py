"""Drawn cards and licences of the kinds that users report as misread; every person, firm and number is invented."""
