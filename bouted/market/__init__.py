"""Offers: what can be rented, where, at what price, and how sure we are of it."""
