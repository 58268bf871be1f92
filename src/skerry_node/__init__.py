"""The program that runs on a node for the length of one command.

Why it is here: an operator's `skerry` command sent it through SSH to look at this node or to
switch it to a new generation of files and units. It is the Python standard library only, runs
on Python 3.9 and later, and ends with the command; nothing of it stays running.
"""
