"""Pushing a plan to the nodes, switching them, confirming."""
