"""From configuration to stored runs."""
