"""Propylon: an API gateway whose centre is its plugin system."""

__version__ = "0.1.0.dev0"
