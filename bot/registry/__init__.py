"""One OCI registry client: tags, digests, manifests, configurations, credentials."""
