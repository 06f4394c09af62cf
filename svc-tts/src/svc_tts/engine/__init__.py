"""Voices: everything that turns text into samples, and samples into files."""
