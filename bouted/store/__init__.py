"""The SQL store: everything bouted knows and does, with UTC times and exact money."""
