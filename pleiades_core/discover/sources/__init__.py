"""Sources to videos: each knows what to ask next, asks, and says what to note once its finds are durable."""
