"""The editors that devenv knows, one file each. Pure: facts and text in, text out."""
