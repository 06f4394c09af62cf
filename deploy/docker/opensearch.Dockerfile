# OpenSearch with a read-only root: the folders that it writes belong to its user, so that named
# volumes mounted over them do too.
ARG OPENSEARCH_IMAGE=opensearchproject/opensearch:2.19.1
FROM ${OPENSEARCH_IMAGE}
USER root
RUN mkdir -p /usr/share/opensearch/config /usr/share/opensearch/logs /usr/share/opensearch/data \
    /usr/share/opensearch/modules /usr/share/opensearch/plugins \
    && chown 1000:1000 /usr/share/opensearch/config /usr/share/opensearch/logs /usr/share/opensearch/data
USER 1000
