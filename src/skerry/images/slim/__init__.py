"""What a workload needs of a root file system, found out by watching it; images of just that."""
