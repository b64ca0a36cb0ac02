"""What a model file may be."""
