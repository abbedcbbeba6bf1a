"""The work: rooms of pure functions, and beside them one thin Prefect task per activity."""
