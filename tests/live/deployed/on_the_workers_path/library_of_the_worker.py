"""A module that the workers' Python finds, and a bundle's does not."""
