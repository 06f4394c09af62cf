"""The colours of the scenes as RGB. Owns the numbers; knows nothing about shapes or words."""

RGB = {
    "red": (214, 36, 40),
    "blue": (36, 84, 214),
    "green": (38, 152, 70),
    "yellow": (250, 218, 52),
    "black": (22, 22, 24),
    "white": (246, 246, 246),
    "orange": (242, 124, 28),
    "purple": (142, 50, 172),
    "grey": (138, 138, 140),
}
