"""The shared world of scenes: what can be in a picture, how it is drawn, said and read back."""
