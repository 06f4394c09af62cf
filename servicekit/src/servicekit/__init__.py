"""What every Oficina service needs and no service owns: settings, errors, logs, auth, jobs, media."""

__version__ = "0.1.0"
