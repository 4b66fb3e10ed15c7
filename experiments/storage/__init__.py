"""Results in an object store: `--results s3://…`, `gs://…`, `az://…`.

The store is the truth. A driver works in a copy on its own disk and pushes what is finished; a
reader pulls what it needs.
"""
