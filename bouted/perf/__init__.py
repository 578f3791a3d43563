"""Performance: which layouts fit a GPU, and their latency and goodput against load."""
