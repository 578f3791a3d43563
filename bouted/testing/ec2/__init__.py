"""A stand-in for EC2 whose instances are real machines, namespaces on this one: see StandInCloud."""
