"""The parts of the screen. Each draws values of `tui.model` and reports what the user did; none asks the supervisor."""
