"""Questions to the user. Each returns an answer and does nothing itself."""
