"""The application of deploy/examples: what their images would hold."""
