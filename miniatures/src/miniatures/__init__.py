"""The small built-in models: the world they know, the data it makes and the scripts that train them."""
