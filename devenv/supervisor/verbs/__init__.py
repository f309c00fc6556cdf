"""What each request means. A verb finds its environment in the registry, calls the rooms, and answers with views."""
