"""Where a program stands and where its time and memory go: py-spy, memray, torch.profiler and viztracer, brought along.

The tools are delivered as the debugger is (`devenv.delivery`); what they say is read, folded and compared here.
"""
