"""NOVA, the tribal transformer. Importing this loads no model library."""
