"""The control plane: timed jobs that collect, plan, reconcile and publish."""
