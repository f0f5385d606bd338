"""Cli: the command ``impact``, one thin function a verb.

Enters: arguments.
Leaves: one line on stdout, progress on stderr, an exit code.
May not: hold logic: parse, call one function, print.
"""
