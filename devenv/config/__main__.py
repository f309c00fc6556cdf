"""`python -m devenv.config` writes the published JSON Schema anew, after the types have changed."""

from devenv.config.schema import FILE, published

FILE.write_text(published(), encoding="utf-8")
