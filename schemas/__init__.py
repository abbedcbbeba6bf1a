"""What things look like: tables, settings, presets, expectations, manifests, errors. Imports nothing heavy."""
