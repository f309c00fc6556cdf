"""Attaching to a Python program that was started without the debugger.

`inside` and only it touches the program, in the container; `facts` is what is known beforehand, `refusals` what follows
from it (pure), `attaching` brings the debugger in, `book` remembers who has one.
"""
