"""What was spent, worked out from what is known: times, prices, the providers' billing rules. Pure."""
