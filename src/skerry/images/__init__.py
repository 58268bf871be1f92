"""Images on the operator's machine: recipes become images in Podman's store."""
