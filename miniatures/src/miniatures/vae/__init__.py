"""The picture codec of the drawing model: 64x64 pixels to 8x8 numbers in eight channels and back."""
