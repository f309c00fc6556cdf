"""Formats of editors' files: what is ours is put in or corrected, every other byte stays. Text in, text out."""
