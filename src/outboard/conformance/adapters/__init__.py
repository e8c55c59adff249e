"""Supervisors as the kit reaches them: a command that reads one job as JSON and prints what came of it as JSON.

Each module is run on its own, in the environment of its supervisor, and none imports another.
"""
