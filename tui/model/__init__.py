"""What the screens show, as values: no Textual in here, no input or output, no clock of its own."""
