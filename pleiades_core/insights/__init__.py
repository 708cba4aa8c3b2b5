"""What is rising, and how fast: velocity and ranking, computed from the vault alone, so that they can be computed again."""
