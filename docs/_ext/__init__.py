"""Parts of the site: what docs/make_site.py writes, and extensions of Sphinx."""
