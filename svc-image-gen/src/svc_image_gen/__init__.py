"""Pictures from text: the service of diffusion models."""
