"""The Dev Container specification as a pure library: text in, models out. No engine, no network, no clock.

    from devcontainer import discover, identity, merge, metadata, model, variables, workspace

    [file, *others] = discover.find(project)
    config = model.load(file.read_text(), str(file))
    for problem in config.problems:
        print(problem)

Only `discover` looks at the file system. Nothing is imported here, so that a caller pays for what it uses.
"""
