"""Pure judgement, pluggable by name: which plan to choose and when to change it."""
