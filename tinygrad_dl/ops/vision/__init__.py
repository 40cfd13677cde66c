"""Images in another size or order."""
