"""The first of ours that runs in an interpreter of the program; the environment's own module of this name follows."""


def _ours() -> None:
    import os

    said = os.environ.get("DEVENV_ENTRY")
    if not said:
        return
    try:
        import devenv_entry  # type: ignore[import-not-found]

        devenv_entry.enter(said)
    except Exception as error:  # the program must start whatever happens here
        import sys

        sys.stderr.write("devenv: no debugger in process %d: %s: %s\n" % (os.getpid(), type(error).__name__, error))


def _theirs() -> None:
    import importlib.util
    import os
    import sys
    from importlib.machinery import PathFinder

    here = os.path.dirname(os.path.abspath(__file__))
    path = [folder for folder in sys.path if os.path.abspath(folder or ".") != here]
    spec = PathFinder.find_spec(__name__, path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules[__name__] = module
    spec.loader.exec_module(module)


_ours()
_theirs()
