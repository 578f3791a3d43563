"""Serves a team's own LLMs at the lowest cost that meets its quality and latency targets."""

__version__ = "0.1.0"
