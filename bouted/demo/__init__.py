"""The main job on one machine: real processes, shipped prices, paced replicas."""
