"""From a bare host to a node: look, decide, change what is missing, prove that it works."""
