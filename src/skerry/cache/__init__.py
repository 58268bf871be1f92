"""What is kept in a cloud folder's ``.skerry/`` so that it need not be thought through again.

All of it may be removed at any time. It imports nothing of Skerry and little of the standard
library: it is asked before anything else is loaded.
"""
