"""The image of an environment: pulled or built, with its features on top, locked, published."""
