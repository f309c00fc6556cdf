"""Files kept the same on the host and in a container that no bind mount reaches."""
