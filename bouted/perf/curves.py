"""What was measured of one GPU: the fitted coefficients that step times are worked out from."""
