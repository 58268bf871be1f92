"""Tree and what was observed to ordered steps: pure."""
