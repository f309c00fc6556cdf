"""The terminal UI. It sees only `devenv.api` and `devcontainer`."""
