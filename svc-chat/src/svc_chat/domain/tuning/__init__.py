"""Training: what callers send becomes examples, examples become a job, a job becomes a model of its owner."""
