"""Shipped facts: GPU and model specifications and a dated snapshot of real prices."""
