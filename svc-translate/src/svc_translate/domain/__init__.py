"""Rules of translation: sentences, languages, the choice of a model. No web framework, no models."""
