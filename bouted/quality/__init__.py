"""Quality: what share of queries each model answers well, from the team's own evals."""
