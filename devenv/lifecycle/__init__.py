"""Lifecycle commands, and what goes with them: trust, secrets, dotfiles."""
