"""Neural networks: the only room that imports torch and its kin, always inside functions."""
