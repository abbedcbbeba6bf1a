"""What every training here does, whatever it trains: steps, checkpoints, stops, memory, and who watches."""
