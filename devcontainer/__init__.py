"""The Dev Container specification as a pure library: text in, models out. No engine, no network, no clock."""
