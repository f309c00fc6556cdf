"""What editors need to know. Texts to copy; the person's own editor files are not touched from here."""
