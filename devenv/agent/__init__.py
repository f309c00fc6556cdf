"""The part of devenv that runs inside the container.

It arrives as source through the link (nothing is installed or written there), as a package named `devenv_agent`,
on whatever Python 3.6 or later the image has. Standard library only, relative imports only, no import of anything
else of devenv, no `typing` at run time, no thread: one loop over ready descriptors.
"""
