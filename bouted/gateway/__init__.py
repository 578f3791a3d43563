"""The data plane: an OpenAI-compatible endpoint that scores, routes and streams."""
