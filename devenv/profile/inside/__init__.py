"""What runs in the container: standard library only, Python 3.6 and later, imports nothing else of devenv."""
