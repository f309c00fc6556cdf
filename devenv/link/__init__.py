"""Host side of the agent: probe an interpreter, boot the agent through one exec, multiplex everything over it.

`open_link` is the way in; `devenv.link.port` is what the other rooms see of the result.
"""
