"""Bad input: strategies for what folders hold and what nodes answer, and what must hold for all."""
