"""The bouted command."""
