"""Tasks of others, each with the signals that its property is about; a file registers its ids."""
