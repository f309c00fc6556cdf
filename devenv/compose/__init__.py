"""Docker Compose projects: which files make one, what they say, and the commands that act on it."""
