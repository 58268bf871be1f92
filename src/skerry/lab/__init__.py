"""A multi-node test cloud on this machine: `skerry lab`, and the harness of the live tests."""

from skerry.lab.lab import Lab
from skerry.lab.node import Node, State

__all__ = ["Lab", "Node", "State"]
