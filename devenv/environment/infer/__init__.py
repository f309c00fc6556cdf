"""A configuration for a project that has none, from what its files show."""
