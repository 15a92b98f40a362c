"""A study becomes a page: one section a file, a frame in and a context for its template out."""
