"""Whole screens: the workbench, the help, the progress of long work."""
