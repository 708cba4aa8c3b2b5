"""Finding videos: sources yield candidates, and the admission pipeline turns a candidate into a watched video."""
