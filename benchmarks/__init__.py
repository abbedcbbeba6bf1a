"""The figures of RESULTS.md: each module prints one JSON object on its last line."""
