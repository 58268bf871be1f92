"""How replicas are replaced by newer ones: the order, the names, and room for two."""
