"""Which node runs what: a pure function of names, labels, memory, ports and volumes."""
