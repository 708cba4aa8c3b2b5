"""Finding videos: sources that yield candidates, and the one door through which a candidate becomes a watched video."""
