"""The service's rules: chunking, ranking, ingestion, answering. No web framework, no database."""
