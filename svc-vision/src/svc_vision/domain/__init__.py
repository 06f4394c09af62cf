"""Rules of looking at pictures: pixels, boxes, the choice of a model. No web framework, no torch."""
