"""What camd promises, tried out."""
