"""Who calls what, in which order: the flows, and the `vatra` command."""
