"""Where things lie: the home, the store, datasets, the catalogue of builds, artifacts, exports."""
