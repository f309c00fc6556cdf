"""What a container gets for training that its configuration does not say, and what the engine can give."""
