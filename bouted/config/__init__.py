"""The YAML file: read strictly, every error reported at once with its path."""
