"""Model to trees: pure; same input, same bytes."""
