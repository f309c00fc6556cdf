"""Dev Container *Features* as pure functions: references, manifests, options, order, lockfile, install script.

    from devcontainer.features import graph, reference

    resolution = graph.Resolution(config.features, override_order=config.override_feature_install_order)
    while wanted := resolution.wanted():
        for one in wanted:
            resolution.provide(one, fetch(one))  # the caller's: a registry, a folder, a cache
    for step in resolution.install_order():
        print(step.written, step.values)

Nothing here fetches, reads a disk or runs anything.
"""
