"""What a picture is and how a job draws it; no web framework, no torch."""
