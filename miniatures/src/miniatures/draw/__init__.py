"""The drawing model: a Stable Diffusion pipeline small enough to live in the repository."""
