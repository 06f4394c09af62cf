"""The picture codec of the drawing model: 64x64 pixels to 8x8 places with twelve numbers and back."""
