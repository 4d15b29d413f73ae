"""The command line ``lcgen``: thin doors to the public functions.

Only the standard library is imported here; a command imports what it needs when it runs.
"""

from .main import main

__all__ = ["main"]
