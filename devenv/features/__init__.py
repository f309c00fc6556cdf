"""Features and templates where they touch network and disk: fetched, kept, vendored, unpacked, packaged, published.

What a feature means, and in which order several are installed, is in `devcontainer.features`; nothing here decides it.

The list of withdrawn features that containers.dev keeps is not asked for: the reference does so at every `up`, features
or not, and a machine without network pays for it each time.
"""
