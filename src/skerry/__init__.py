"""Skerry: a cloud of one's own, through OpenSSH alone."""

__version__ = "0.1.0"
