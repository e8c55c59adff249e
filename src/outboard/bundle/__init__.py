"""One executable file that carries an author's tasks: its layout, how it is written, and how it starts.

What runs in the child is `outboard.bundle.bootstrap` alone; every other module here belongs to the parent and may not
be imported by it. Nothing here imports the author's code: whoever needs to know what a bundle holds asks the bundle.
"""
