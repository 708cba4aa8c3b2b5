"""What is rising, and how fast: computed from the vault alone, so every answer can be computed again."""
