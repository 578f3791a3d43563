"""Reconciling: the difference between plan and fleet, as ordered actions, carried out."""
