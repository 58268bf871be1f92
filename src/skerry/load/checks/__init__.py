"""What manifests must keep beyond the types of their fields. Pure: returns problems."""
